// Package demo invents a practice: staff, and clients in every state, whose letters were really sent and whose forms were
// really filled in, by the same verbs that people use.
package demo

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"anteroom/db"
	"anteroom/forms"
	"anteroom/mail/mailbox"
	"anteroom/practice"

	"github.com/emersion/go-smtp"
)

// Clock shows the time as the demo tells it: some days ago while its past is made, then the real one.
type Clock struct{ behind atomic.Int64 }

// Now is what the clock shows.
func (c *Clock) Now() time.Time { return time.Now().Add(-time.Duration(c.behind.Load())) }

func (c *Clock) daysAgo(n int) { c.behind.Store(int64(n) * int64(24*time.Hour)) }

// The relay of the demo refuses the mailboxes of one domain and keeps those of another waiting.
const (
	bouncing = "@gone.example"
	waiting  = "@slow.example"
)

// Script is how the demo's mailbox answers: some of its clients can't be reached.
var Script = mailbox.Script{Rcpt: func(_ mailbox.Conn, to string) error {
	switch {
	case strings.HasSuffix(to, bouncing):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such mailbox here"}
	case strings.HasSuffix(to, waiting):
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "The mailbox is busy, try again later"}
	}
	return nil
}}

// SignIn is how somebody signs in to the demo.
type SignIn struct{ Name, Role, Email, Password string }

// Password is every invented person's.
const Password = "a quiet place to wait"

var staff = []struct {
	practice.StaffEntry
	words string
}{
	{practice.StaffEntry{Name: "Tom Tran", Email: "tom@willow.example", Role: db.RoleTherapist, Permissions: []db.Permission{db.MayInviteClients}}, "therapist, may invite clients"},
	{practice.StaffEntry{Name: "Tess Tully", Email: "tess@willow.example", Role: db.RoleTherapist}, "therapist"},
	{practice.StaffEntry{Name: "Finn Frey", Email: "finn@willow.example", Role: db.RoleStaff, Permissions: []db.Permission{db.MayEditClients}}, "front desk"},
}

// Practice invents the practice in an empty database. Letters go out through the outbox and are read in box.
type Practice struct {
	*practice.Practice
	Clock *Clock
	Box   *mailbox.Box

	olga  practice.Administrator
	staff map[string]practice.Staff // by first name
}

// SignIns are how the staff sign in.
func SignIns() []SignIn {
	all := []SignIn{{"Olga Olson", "administrator", "olga@willow.example", Password}}
	for _, s := range staff {
		all = append(all, SignIn{s.Name, s.words, s.Email, Password})
	}
	return all
}

// Invent makes the staff and the clients.
func (d *Practice) Invent(ctx context.Context) error {
	d.staff = map[string]practice.Staff{}
	steps := []func(context.Context) error{d.begin, d.addClients, d.inviteLongAgo, d.remind, d.inviteAndJoin, d.askAgain, d.inviteLately, d.turnOff}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return fmt.Errorf("invent the demo: %w", err)
		}
	}
	d.Clock.daysAgo(0)
	return nil
}

// begin sets the practice up. Each staff member chooses a password by the link in their mail.
func (d *Practice) begin(ctx context.Context) error {
	d.Clock.daysAgo(14)
	err := d.CreateAdministrator(ctx, practice.SetUp{
		OrganizationFields: practice.OrganizationFields{Name: "Willow Street Counseling", Phone: "555-0100", TimeZone: "America/New_York"},
		Administrator:      practice.NewAdministrator{Name: "Olga Olson", Email: "olga@willow.example", Password: Password},
		PasswordAlone:      true,
	})
	if err != nil {
		return err
	}
	_, who, err := d.SignIn(ctx, "olga@willow.example", Password, practice.Browser{Network: "demo"})
	if err != nil {
		return err
	}
	d.olga, _ = who.Administrator()
	d.staff["Olga"] = d.olga.Staff
	for _, s := range staff {
		if _, err := d.AddStaff(ctx, d.olga, s.StaffEntry); err != nil {
			return err
		}
	}
	if _, err := d.Box.Wait(ctx, len(staff)); err != nil {
		return err
	}
	for _, s := range staff {
		who, err := d.join(ctx, s.Email)
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(s.Name, " ")
		d.staff[first], _ = who.Staff()
	}
	return nil
}

var linkInMail = regexp.MustCompile(`/link/([A-Za-z0-9_-]{43})`)

// join chooses a password by the link in the newest letter to an address.
func (d *Practice) join(ctx context.Context, address string) (practice.Actor, error) {
	token, err := d.open(ctx, address)
	if err != nil {
		return practice.Actor{}, err
	}
	_, who, err := d.ChoosePassword(ctx, token, Password, practice.Browser{Network: "demo"})
	return who, err
}

// open opens the link in the newest letter to an address, and returns its token.
func (d *Practice) open(ctx context.Context, address string) (token string, err error) {
	for _, letter := range d.Box.List() {
		if link := linkInMail.FindStringSubmatch(letter.Text); letter.EnvelopeTo == address && link != nil {
			return link[1], d.NoteOpened(ctx, link[1])
		}
	}
	return "", fmt.Errorf("no letter with a link for %s", address)
}

// person is an invented client.
type person struct {
	first, last, preferred, born string
	address                      string // empty: none
	therapist                    string
}

func (p person) fullName() string { return p.first + " " + p.last }

func (d *Practice) addClients(ctx context.Context) error {
	all, err := d.AllStaff(ctx, d.olga)
	if err != nil {
		return err
	}
	ids := map[string]string{}
	for _, m := range all {
		first, _, _ := strings.Cut(m.Name, " ")
		ids[first] = m.PublicID
	}
	for i := range people {
		c := &people[i]
		fields := besides[c.address]
		fields.FirstName, fields.LastName, fields.PreferredName = c.first, c.last, c.preferred
		fields.DateOfBirth, fields.Phone, fields.Email = c.born, fmt.Sprintf("555-01%02d", i), c.address
		id, err := d.AddClient(ctx, d.olga.Staff, fields)
		if err == nil && c.address == formerClient {
			err = d.ArchiveClient(ctx, d.olga.Staff, id)
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", c.first, c.last, err)
		}
		if c.therapist != "" {
			if err := d.AssignClient(ctx, d.olga, id, ids[c.therapist], true); err != nil {
				return err
			}
		}
	}
	return nil
}

// send invites those whose addresses are named, or sends them forms, as Olga would in Manage Clients.
func (d *Practice) send(ctx context.Context, formKeys []string, addresses ...string) error {
	var ids []string
	for _, address := range addresses {
		c, err := d.ClientWithEmail(ctx, d.olga.Staff, address)
		if err != nil {
			return fmt.Errorf("%s: %w", address, err)
		}
		ids = append(ids, c.PublicID)
	}
	if _, err := d.ChangeSelection(ctx, d.olga, practice.SelectionChange{On: ids}); err != nil {
		return err
	}
	_, draft, err := d.Selection(ctx, d.olga)
	if err != nil {
		return err
	}
	if err := d.SaveDraft(ctx, d.olga.Staff, draft, practice.DraftChange{Forms: formKeys}); err != nil {
		return err
	}
	if err := d.Send(ctx, d.olga.Staff, draft, ""); err != nil {
		return err
	}
	late := time.NewTimer(10 * time.Second)
	defer late.Stop()
	for {
		o, err := d.Outcome(ctx, d.olga.Staff, draft, 0, practice.PageSize)
		if err != nil {
			return err
		}
		if !o.Progress.Moving() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return fmt.Errorf("the outbox stands still: %+v", o.Progress)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

var packet = []string{"privacy-practices", "informed-consent", "intake"}

// inviteLongAgo: invitations that nobody followed.
func (d *Practice) inviteLongAgo(ctx context.Context) error {
	d.Clock.daysAgo(11)
	return d.send(ctx, packet, addresses(0, 4)...)
}

// remind: those who were invited long ago were reminded, at whatever hour the demo is started.
func (d *Practice) remind(ctx context.Context) error {
	d.Clock.daysAgo(8)
	usual, err := d.ReminderFields(ctx, d.olga)
	if err != nil {
		return err
	}
	never := usual
	never.QuietFrom, never.QuietUntil, never.Version = "0", "0", ""
	if err := d.ChangeReminders(ctx, d.olga, never); err != nil {
		return err
	}
	if _, err := d.Remind(ctx); err != nil {
		return err
	}
	if err := d.untilSent(ctx); err != nil {
		return err
	}
	usual.Version = ""
	return d.ChangeReminders(ctx, d.olga, usual)
}

// untilSent waits for the letters that are queued, none of which is hard to deliver.
func (d *Practice) untilSent(ctx context.Context) error {
	late := time.NewTimer(10 * time.Second)
	defer late.Stop()
	for {
		l, err := d.Letters(ctx, d.olga, db.LetterFilter{}, 0, 1)
		if err != nil || l.Count[db.LetterQueued]+l.Count[db.LetterSending] == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return fmt.Errorf("the outbox stands still: %v", l.Count)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// inviteAndJoin: those who joined, and how far each came.
func (d *Practice) inviteAndJoin(ctx context.Context) error {
	d.Clock.daysAgo(6)
	joining := addresses(4, 18)
	if err := d.send(ctx, packet, joining...); err != nil {
		return err
	}
	for i, address := range joining {
		d.Clock.daysAgo(5 - i%3)
		who, err := d.join(ctx, address)
		if err != nil {
			return err
		}
		client, ok := who.Client()
		if !ok {
			return fmt.Errorf("%s joined, and is no client", address)
		}
		if err := d.fill(ctx, respondent{client, people[4+i].fullName(), i}); err != nil {
			return err
		}
	}
	return nil
}

// askAgain: forms for those who have an account already.
func (d *Practice) askAgain(ctx context.Context) error {
	d.Clock.daysAgo(2)
	again := addresses(4, 10)
	if err := d.send(ctx, []string{"phq-9", "gad-7"}, again...); err != nil {
		return err
	}
	for i, address := range again[:3] {
		_, who, err := d.SignIn(ctx, address, Password, practice.Browser{Network: "demo"})
		if err != nil {
			return err
		}
		client, _ := who.Client()
		if err := d.fillAll(ctx, respondent{client, people[4+i].fullName(), 10 + i}); err != nil {
			return err
		}
	}
	return nil
}

// inviteLately: invitations that are on their way, arrived, were opened, were refused, or came back.
func (d *Practice) inviteLately(ctx context.Context) error {
	d.Clock.daysAgo(1)
	lately := addresses(18, 26)
	if err := d.send(ctx, packet, lately...); err != nil {
		return err
	}
	d.Clock.daysAgo(0)
	for _, address := range lately[:3] {
		if _, err := d.open(ctx, address); err != nil {
			return err
		}
	}
	back, err := d.ClientWithEmail(ctx, d.olga.Staff, lately[7])
	if err == nil {
		err = d.MarkBounced(ctx, d.olga.Staff, back.PublicID, lately[7])
	}
	if err != nil {
		return err
	}
	var hard []string
	for _, c := range people {
		if strings.HasSuffix(c.address, bouncing) || strings.HasSuffix(c.address, waiting) {
			hard = append(hard, c.address)
		}
	}
	return d.send(ctx, packet, hard...)
}

// turnOff: a former client, and one who asked for paper.
func (d *Practice) turnOff(ctx context.Context) error {
	for _, address := range []string{people[17].address, people[30].address} {
		c, err := d.ClientWithEmail(ctx, d.olga.Staff, address)
		if err != nil {
			return err
		}
		if err := d.TurnPortal(ctx, d.olga, c.PublicID, false); err != nil {
			return err
		}
	}
	return nil
}

func addresses(from, to int) (some []string) {
	for _, c := range people[from:to] {
		some = append(some, c.address)
	}
	return some
}

// respondent is a client who fills in forms.
type respondent struct {
	practice.Client
	name string
	n    int // tells respondents' answers apart
}

// fill fills in as much as a respondent did: some all, some a part, some nothing.
func (d *Practice) fill(ctx context.Context, by respondent) error {
	switch by.n % 4 {
	case 0, 1:
		return d.fillAll(ctx, by)
	case 2:
		portal, err := d.Portal(ctx, by.Client)
		if err != nil || len(portal.Open) == 0 {
			return err
		}
		if err := d.submit(ctx, by, portal.Open[0]); err != nil {
			return err
		}
		if len(portal.Open) > 1 {
			last := portal.Open[len(portal.Open)-1]
			return d.saveSome(ctx, by, last)
		}
	}
	return nil
}

func (d *Practice) fillAll(ctx context.Context, by respondent) error {
	portal, err := d.Portal(ctx, by.Client)
	if err != nil {
		return err
	}
	for _, r := range portal.Open {
		if err := d.submit(ctx, by, r); err != nil {
			return err
		}
	}
	return nil
}

func (d *Practice) submit(ctx context.Context, by respondent, r practice.FormRequest) error {
	if _, err := d.OpenForm(ctx, by.Client, r.PublicID); err != nil {
		return err
	}
	done, err := d.SubmitForm(ctx, by.Client, r.PublicID, answers(r.Paper, by))
	if err == nil && len(done.Wrong) > 0 {
		return fmt.Errorf("the invented answers to %s don't fit: %v", r.Paper.Key, done.Wrong)
	}
	return err
}

func (d *Practice) saveSome(ctx context.Context, by respondent, r practice.FormRequest) error {
	if _, err := d.OpenForm(ctx, by.Client, r.PublicID); err != nil {
		return err
	}
	asked, input := 0, answers(r.Paper, by)
	_, err := d.SaveAnswers(ctx, by.Client, r.PublicID, func(name string) []string {
		values := input(name)
		if name != forms.ShownInput && len(values) > 0 {
			if asked++; asked > 6 {
				return nil
			}
		}
		return values
	})
	return err
}
