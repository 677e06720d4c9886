package practice_test

import (
	"errors"
	"strings"
	"testing"

	"anteroom/db"
	"anteroom/mail"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// reads notes which language clients read.
func reads(t *testing.T, c *cast.Cast, tag string, clients ...*db.Client) {
	t.Helper()
	for _, client := range clients {
		client.Language = tag
		if err := c.DB.Update(t.Context(), func(tx *db.Tx) error { return tx.ChangeClient(*client) }); err != nil {
			t.Fatal(err)
		}
	}
}

// lastMail is the newest mail in the outbox, with its soft line breaks undone.
func lastMail(t *testing.T, c *cast.Cast) (data string) {
	t.Helper()
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRowContext(t.Context(), "SELECT data FROM letter_mails ORDER BY letter_id DESC LIMIT 1").Scan(&data)
	}); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(data, "=\r\n", "")
}

func preview(t *testing.T, c *cast.Cast, draft string, client db.Client) practice.Preview {
	t.Helper()
	p, err := c.Practice.Preview(t.Context(), c.Olga.Staff, draft, client.PublicID)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOurWordsAreInTheClientsLanguage(t *testing.T) {
	english := []string{"Hello Ann,", "until Monday, November 9, 2026.", "Join Client Portal:", "Olga Olson sent you this for Willow Street Counseling.", "This wasn't meant for me: http"}
	spanish := []string{"Hola, Ann:", "hasta el lunes, 9 de noviembre de 2026.", "Entrar al portal:", "Olga Olson le envió este correo en nombre de Willow Street Counseling.", "Este correo no era para mí: http"}
	for tag, want := range map[string]struct {
		lang  string
		words []string
	}{
		"": {"en", english}, "en": {"en", english}, "en-GB": {"en", english}, "fr": {"en", english}, "nonsense!": {"en", english}, "est": {"en", english},
		"es": {"es", spanish}, "es-MX": {"es", spanish}, "ES-419": {"es", spanish}, "spa": {"es", spanish},
	} {
		c := cast.New(t)
		reads(t, c, tag, &c.Ann)
		draft := chosen(t, c, c.Ann)
		letter := preview(t, c, draft, c.Ann).Letter
		for _, words := range want.words {
			if !strings.Contains(letter.Text, words) {
				t.Errorf("%q: %q is missing:\n%s", tag, words, letter.Text)
			}
		}
		if !strings.Contains(letter.HTML, `<html lang="`+want.lang+`">`) || !strings.Contains(string(letter.Bytes), "\r\nContent-Language: "+want.lang+"\r\n") {
			t.Errorf("%q: the mail doesn't say that it is in %s", tag, want.lang)
		}
		if err := c.Practice.Send(t.Context(), c.Olga.Staff, draft, ""); err != nil {
			t.Fatal(err)
		}
		if sent := letters(t, c, c.Ann)[0]; sent.Subject != letter.Subject {
			t.Errorf("%q: previewed as %q, sent as %q", tag, letter.Subject, sent.Subject)
		}
	}
}

func TestAccountLettersAreInTheClientsLanguage(t *testing.T) {
	c := cast.New(t)
	ctx := t.Context()
	reads(t, c, "es", &c.Mia)
	if err := c.Practice.ForgotPassword(ctx, "mia@mail.example", "192.0.2.7"); err != nil {
		t.Fatal(err)
	}
	if m := lastMail(t, c); !strings.Contains(m, "lunes, 2 de noviembre de 2026, 10:34 a. m.") || !strings.Contains(m, "Content-Language: es") {
		t.Error(m)
	}
	if err := c.Practice.AskForAddress(ctx, c.MiaActor, "mia@new.example", cast.Password, "192.0.2.7"); err != nil {
		t.Fatal(err)
	}
	for i, subject := range []string{"otra dirección de correo", "confirme su dirección de correo"} {
		if l := letters(t, c, c.Mia)[i]; !strings.Contains(l.Subject, subject) {
			t.Errorf("the subject is %q", l.Subject)
		}
	}
}

// Their own message comes first, then one that was changed for all, then the default in their language.
func TestWhoseMessageAClientGets(t *testing.T) {
	c := cast.New(t)
	ctx := t.Context()
	reads(t, c, "es", &c.Ann)
	draft := chosen(t, c, c.Ann, c.Ben)
	subjects := func(ann, ben string) {
		t.Helper()
		if got := preview(t, c, draft, c.Ann).Letter.Subject; !strings.Contains(got, ann) {
			t.Errorf("Ann gets %q, want %q", got, ann)
		}
		if got := preview(t, c, draft, c.Ben).Letter.Subject; !strings.Contains(got, ben) {
			t.Errorf("Ben gets %q, want %q", got, ben)
		}
	}
	load := func() practice.DraftMessage {
		t.Helper()
		d, err := c.Practice.Draft(ctx, c.Olga.Staff, draft)
		if err != nil {
			t.Fatal(err)
		}
		return d.Messages[0]
	}
	save := func(m db.Message) {
		t.Helper()
		if err := c.Practice.SaveDraft(ctx, c.Olga.Staff, draft, practice.DraftChange{Messages: map[db.MessageKind]db.Message{db.InvitationMessage: m}}); err != nil {
			t.Fatal(err)
		}
	}
	saveDefault := func(language string, m db.Message) {
		t.Helper()
		if err := c.Practice.ChangeDefaultMessage(ctx, c.Olga, db.InvitationMessage, language, m, nil, ""); err != nil {
			t.Fatal(err)
		}
	}
	subjects("su portal para clientes", "your client portal")
	if m := load(); m.Changed || len(m.Others) != 1 || m.Others[0].Name != "Spanish" || m.Others[0].Receivers != 1 {
		t.Errorf("%+v", m.Others)
	}

	// The page that shows a default brings it back with other line ends: nobody changed it.
	shown := load().Message
	shown.Body = strings.ReplaceAll(shown.Body, "\n", "\r\n")
	save(shown)
	subjects("su portal para clientes", "your client portal")

	saveDefault("es", db.Message{Subject: "Bienvenida", Body: "Hola"})
	subjects("Bienvenida", "your client portal")
	seen := preview(t, c, draft, c.Ann).Draft.Version()
	saveDefault("es", db.Message{Subject: "Bienvenidos", Body: "Hola"})
	if err := c.Practice.Send(ctx, c.Olga.Staff, draft, seen); !errors.Is(err, practice.ErrNotAsPreviewed) {
		t.Errorf("another Spanish text was sent unseen: %v", err)
	}
	saveDefault("", db.Message{Subject: "Our own", Body: "Hello"})
	subjects("Bienvenidos", "Our own")

	save(db.Message{Subject: "For all", Body: "As written"})
	subjects("For all", "For all")
	if !load().Changed {
		t.Error("it isn't known to be changed")
	}
	if p := preview(t, c, draft, c.Ann); !strings.Contains(p.Letter.Text, "no era para mí") {
		t.Error("our own words aren't in Ann's language")
	}
	if err := c.Practice.ChangeMessage(ctx, c.Olga.Staff, draft, c.Ann.PublicID, db.Message{Subject: "Solo para {client_first_name}", Body: "Hola"}, false); err != nil {
		t.Fatal(err)
	}
	subjects("Solo para Ann", "For all")
	save(db.Message{Subject: "Our own", Body: "Hello"}) // as if nobody had changed it
	if err := c.Practice.DropOwnMessage(ctx, c.Olga.Staff, draft, c.Ann.PublicID); err != nil {
		t.Fatal(err)
	}
	subjects("Bienvenidos", "Our own")

	seen = preview(t, c, draft, c.Ann).Draft.Version()
	reads(t, c, "en", &c.Ann)
	if err := c.Practice.Send(ctx, c.Olga.Staff, draft, seen); !errors.Is(err, practice.ErrNotAsPreviewed) {
		t.Errorf("another language was sent unseen: %v", err)
	}
}

// Where all read Spanish, the Spanish default is what is shown, changed and saved.
func TestAllReadSpanish(t *testing.T) {
	c := cast.New(t)
	ctx := t.Context()
	reads(t, c, "es", &c.Ann, &c.Ben)
	draft := chosen(t, c, c.Ann, c.Ben)
	d, err := c.Practice.Draft(ctx, c.Olga.Staff, draft)
	if err != nil {
		t.Fatal(err)
	}
	if m := d.Messages[0]; m.Language.Key != "es" || len(m.Others) != 0 || !strings.Contains(m.Subject, "su portal") {
		t.Errorf("%+v", m)
	}
	own := db.Message{Subject: "Nuestra invitación", Body: "Hola"}
	if err := c.Practice.SaveDraft(ctx, c.Olga.Staff, draft, practice.DraftChange{Messages: map[db.MessageKind]db.Message{db.InvitationMessage: own}, SaveDefault: true}); err != nil {
		t.Fatal(err)
	}
	if err := c.Practice.Send(ctx, c.Olga.Staff, draft, ""); err != nil {
		t.Fatal(err)
	}
	if saved, _ := defaults(t, c); len(saved) != 1 || saved["es"] != own {
		t.Errorf("saved %+v", saved)
	}
}

func TestRepliesGoToThePractice(t *testing.T) {
	c := cast.New(t)
	ctx := t.Context()
	fields := func() practice.OrganizationFields {
		o, err := c.Practice.Organization(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return practice.OrganizationFieldsOf(o)
	}
	draft := chosen(t, c, c.Ann)
	if l := preview(t, c, draft, c.Ann).Letter; l.From.Name != "Willow Street Counseling" || l.ReplyTo.Email.String() != "portal@willow.example" {
		t.Errorf("from %v, answers to %v", l.From, l.ReplyTo)
	}
	f := fields()
	f.Email = "not an address"
	wrongIn(t, c.Practice.ChangeOrganization(ctx, c.Olga, f), "reply_email")
	f.Email = " Desk@willow.example "
	if err := c.Practice.ChangeOrganization(ctx, c.Olga, f); err != nil {
		t.Fatal(err)
	}
	l := preview(t, c, draft, c.Ann).Letter
	if l.From.Email.String() != "portal@willow.example" || l.ReplyTo.Email.String() != "Desk@willow.example" || !strings.Contains(l.Text, "\nDesk@willow.example\n") {
		t.Errorf("from %v, answers to %v:\n%s", l.From, l.ReplyTo, l.Text)
	}
	if f = fields(); f.Email != "Desk@willow.example" {
		t.Errorf("on file: %q", f.Email)
	}
	f.Email = ""
	if err := c.Practice.ChangeOrganization(ctx, c.Olga, f); err != nil || fields().Email != "" {
		t.Errorf("taken away: %q, %v", fields().Email, err)
	}
}

// Who sent a letter stands in it also when its author took the name out of the message.
func TestTheSenderIsAlwaysNamed(t *testing.T) {
	c := cast.New(t)
	draft := chosen(t, c, c.Ann)
	if err := c.Practice.ChangeMessage(t.Context(), c.Olga.Staff, draft, c.Ann.PublicID, db.Message{Subject: "Hello", Body: "Come in."}, true); err != nil {
		t.Fatal(err)
	}
	l := preview(t, c, draft, c.Ann).Letter
	for _, part := range []string{l.Text, l.HTML} {
		if !strings.Contains(part, "Olga Olson sent you this for Willow Street Counseling.") {
			t.Error(part)
		}
	}
	if n := strings.Count(string(l.Bytes), "http"); strings.Contains(l.HTML, "<img") || n == 0 {
		t.Error("something is loaded from outside")
	}
	if !strings.Contains(l.HTML, mail.NotMeantSlot) {
		t.Error("it isn't shown where whoever got it by mistake says so")
	}
}
