package practice

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"anteroom/db"
	"anteroom/mail"
)

// Placeholder is a name in braces that a message may hold, and that each client's letter has their own words for.
type Placeholder struct {
	Name    string // without braces
	Meaning string
	kinds   []db.MessageKind
	value   func(particulars) string
}

// Insert is the placeholder as it stands in a message.
func (p Placeholder) Insert() string { return "{" + p.Name + "}" }

// particulars are what the placeholders of one letter are filled from.
type particulars struct {
	client     db.Client
	language   Language
	therapists []string
	practice   db.Organization
	sender     string
	link       string
	expires    time.Time
}

var (
	bothKinds      = []db.MessageKind{db.InvitationMessage, db.FormsMessage}
	allKinds       = []db.MessageKind{db.InvitationMessage, db.InvitationReminderMessage, db.FormsMessage, db.FormsReminderMessage}
	invitationOnly = []db.MessageKind{db.InvitationMessage}
)

// placeholders is the one table of them.
var placeholders = []Placeholder{
	{"client_first_name", "Client's first name", bothKinds, func(p particulars) string { return p.client.FirstName }},
	{"client_last_name", "Client's last name", bothKinds, func(p particulars) string { return p.client.LastName }},
	{"client_preferred_name", "Client's preferred name", bothKinds, func(p particulars) string { return p.client.Name() }},
	{"practice_name", "Practice's name", bothKinds, func(p particulars) string { return p.practice.Name }},
	{"practice_phone", "Practice's phone", bothKinds, func(p particulars) string { return p.practice.Phone }},
	{"therapist_name", "Therapist's name", bothKinds, func(p particulars) string { return cmp.Or(p.language.join(p.therapists), p.language.yourTherapist) }},
	{"sender_name", "Your name", bothKinds, func(p particulars) string { return p.sender }},
	{mail.Link, "Link to the portal", bothKinds, func(p particulars) string { return p.link }},
	{"link_expires_on", "Day the link expires", invitationOnly, func(p particulars) string {
		return p.language.day(p.expires.In(p.practice.TimeZone))
	}},
}

// Placeholders lists what a message of a kind may hold: a reminder, what the message does that it repeats.
func Placeholders(kind db.MessageKind) []Placeholder {
	var some []Placeholder
	for _, p := range placeholders {
		if slices.Contains(p.kinds, kind.About()) {
			some = append(some, p)
		}
	}
	return some
}

func (p particulars) values(kind db.MessageKind) map[string]string {
	values := map[string]string{}
	for _, placeholder := range Placeholders(kind) {
		values[placeholder.Name] = placeholder.value(p)
	}
	return values
}

// Longest message, in characters: far above what anybody writes by hand, far below where mail programs cut.
const (
	maxSubject = 200
	maxBody    = 10_000
)

// messageFaults says what is wrong with a message by itself; its fields are "subject" and "body", after the prefix.
func messageFaults(kind db.MessageKind, m db.Message, prefix string) Invalid {
	wrong := Invalid{}
	if strings.TrimSpace(m.Subject) == "" {
		wrong[prefix+"subject"] = "Write a subject: a mail without one looks like spam."
	} else if len([]rune(m.Subject)) > maxSubject {
		wrong[prefix+"subject"] = fmt.Sprintf("Shorten the subject to %d characters.", maxSubject)
	}
	if strings.TrimSpace(m.Body) == "" {
		wrong[prefix+"body"] = "Write a message."
	} else if len([]rune(m.Body)) > maxBody {
		wrong[prefix+"body"] = fmt.Sprintf("Shorten the message to %d characters.", maxBody)
	}
	if len(wrong) > 0 {
		return wrong
	}
	for field, names := range map[string][]string{"subject": mail.Placeholders(m.Subject, ""), "body": mail.Placeholders("", m.Body)} {
		for _, name := range names {
			if sentence := placeholderFault(kind, field, name); sentence != "" {
				wrong[prefix+field] = sentence
				break
			}
		}
	}
	return wrong
}

func placeholderFault(kind db.MessageKind, field, name string) string {
	i := slices.IndexFunc(placeholders, func(p Placeholder) bool { return p.Name == name })
	switch {
	case i < 0:
		return fmt.Sprintf("There is no placeholder {%s}. Choose one from the list, or take the braces away.", name)
	case !slices.Contains(placeholders[i].kinds, kind.About()):
		return fmt.Sprintf("{%s} stands in invitations only: who has an account signs in with a link that does not expire.", name)
	case field == "subject" && name == mail.Link:
		return fmt.Sprintf("{%s} can't stand in the subject. Put it into the message.", name)
	}
	return ""
}

// builtInForms are the keys of the forms ticked until an administrator saves another choice.
var builtInForms = map[db.MessageKind][]string{
	db.InvitationMessage: {"privacy-practices", "informed-consent", "intake"},
}
