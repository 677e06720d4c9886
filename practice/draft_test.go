package practice_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"anteroom/db"
	"anteroom/mail"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// withForms keeps two small forms, so that drafts have something to send.
func withForms(t *testing.T, c *cast.Cast) {
	t.Helper()
	err := c.DB.Update(t.Context(), func(tx *db.Tx) error {
		return errors.Join(
			tx.AddForm(db.Form{Key: "intake", Version: "1", Title: "Intake", Definition: "{}"}),
			tx.AddForm(db.Form{Key: "phq-9", Version: "1", Title: "PHQ-9", Definition: "{}"}))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// chosen begins Olga's draft with these clients.
func chosen(t *testing.T, c *cast.Cast, clients ...db.Client) string {
	t.Helper()
	var ids []string
	for _, client := range clients {
		ids = append(ids, client.PublicID)
	}
	if _, err := c.Practice.ChangeSelection(t.Context(), c.Olga, practice.SelectionChange{Shown: ids, On: ids}); err != nil {
		t.Fatal(err)
	}
	_, draft, err := c.Practice.Selection(t.Context(), c.Olga)
	if err != nil {
		t.Fatal(err)
	}
	return draft
}

func state(t *testing.T, c *cast.Cast, client db.Client) db.PortalState {
	t.Helper()
	var s db.PortalState
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		found, err := tx.ClientByID(db.Everybody(), client.ID)
		s = found.Portal.State(tx.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

func letters(t *testing.T, c *cast.Cast, client db.Client) []db.Letter {
	t.Helper()
	var all []db.Letter
	if err := c.DB.View(t.Context(), func(tx *db.Tx) (err error) {
		all, err = tx.ClientLetters(db.Everybody(), client.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func requests(t *testing.T, c *cast.Cast, client db.Client) []db.FormRequest {
	t.Helper()
	var all []db.FormRequest
	if err := c.DB.View(t.Context(), func(tx *db.Tx) (err error) {
		all, err = tx.FormRequests(db.Everybody(), client.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSendBothKinds(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	ctx := t.Context()
	id := chosen(t, c, c.Ann, c.Mia, c.Sam) // Sam has no address and can't be chosen
	d, err := c.Practice.Draft(ctx, c.Olga.Staff, id)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Messages) != 2 || d.Invitations != 1 || d.FormsLetters != 1 || len(d.LeftOut) != 0 {
		t.Fatalf("%d messages, %d invitations, %d letters about forms, %d left out", len(d.Messages), d.Invitations, d.FormsLetters, len(d.LeftOut))
	}
	if !d.Forms[0].Chosen || d.Forms[1].Chosen {
		t.Errorf("the default forms are not ticked: %+v", d.Forms)
	}
	preview, err := c.Practice.Preview(ctx, c.Olga.Staff, id, c.Ann.PublicID)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Practice.Send(ctx, c.Olga.Staff, id, ""); err != nil {
		t.Fatal(err)
	}
	if s := state(t, c, c.Ann); s != db.PortalQueued {
		t.Errorf("Ann: %s", s)
	}
	sent := letters(t, c, c.Ann)
	if len(sent) != 1 || sent[0].Subject != preview.Letter.Subject || sent[0].LinkID == 0 {
		t.Fatalf("Ann's letters: %+v", sent)
	}
	if l := letters(t, c, c.Mia); len(l) != 1 || l[0].Kind != db.LetterForms || l[0].LinkID != 0 {
		t.Errorf("Mia's letters: %+v", l)
	}
	for _, client := range []db.Client{c.Ann, c.Mia} {
		if r := requests(t, c, client); len(r) != 1 || r[0].Form.Key != "intake" || r[0].State() != db.FormSent {
			t.Errorf("%s's requests: %+v", client.FirstName, r)
		}
	}
	if err := c.Practice.Send(ctx, c.Olga.Staff, id, ""); !errors.Is(err, db.ErrSent) {
		t.Errorf("sent twice: %v", err)
	}

	// The next sending keeps the open request, and ends the first link.
	id = chosen(t, c, c.Ann)
	if err := c.Practice.Send(ctx, c.Olga.Staff, id, ""); err != nil {
		t.Fatal(err)
	}
	if r := requests(t, c, c.Ann); len(r) != 1 {
		t.Errorf("an open form was sent twice: %+v", r)
	}
	sent = letters(t, c, c.Ann)
	if len(sent) != 2 || sent[1].State != db.LetterCancelled || sent[0].State != db.LetterQueued || sent[0].LinkID == sent[1].LinkID {
		t.Errorf("Ann's letters after a second sending: %+v", sent)
	}
	if _, err := c.DB.VerifyAudit(ctx, db.AuditHead{}, nil); err != nil {
		t.Error(err)
	}
}

// Who has an account is only told of forms: with none ticked it is still that message that is written, and none is sent.
func TestAnAccountNeedsAForm(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	ctx := t.Context()
	id := chosen(t, c, c.Mia)
	if err := c.Practice.SaveDraft(ctx, c.Olga.Staff, id, practice.DraftChange{SaveDefault: true}); err != nil {
		t.Fatal(err)
	}
	d, err := c.Practice.Draft(ctx, c.Olga.Staff, id)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Messages) != 1 || d.Messages[0].Kind != db.FormsMessage || d.WithoutForm != 1 || !d.OnlyWithoutForm() {
		t.Fatalf("messages %+v, %d without a form", d.Messages, d.WithoutForm)
	}
	var wrong practice.Invalid
	if err := c.Practice.Send(ctx, c.Olga.Staff, id, ""); !errors.As(err, &wrong) || wrong["form_key"] == "" {
		t.Errorf("sent with no form: %v", err)
	}

	// Beside somebody who is invited it doesn't hold anybody up; its default is saved only when somebody receives it.
	if err := c.Practice.SaveDraft(ctx, c.Olga.Staff, chosen(t, c, c.Mia, c.Ann), practice.DraftChange{SaveDefault: true,
		Messages: map[db.MessageKind]db.Message{db.FormsMessage: {Subject: "Not for anybody", Body: "Nobody reads this."}}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Practice.Send(ctx, c.Olga.Staff, id, ""); err != nil {
		t.Fatal(err)
	}
	if l := letters(t, c, c.Mia); len(l) != 0 {
		t.Errorf("Mia got %+v", l)
	}
	d, err = c.Practice.Draft(ctx, c.Olga.Staff, chosen(t, c, c.Mia))
	if err != nil {
		t.Fatal(err)
	}
	if d.Messages[0].Subject == "Not for anybody" {
		t.Error("a message that nobody received became the default")
	}
}

// What was changed in another tab after the preview is not sent unseen.
func TestSendWhatWasPreviewed(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	ctx := t.Context()
	id := chosen(t, c, c.Ann)
	see := func() string {
		preview, err := c.Practice.Preview(ctx, c.Olga.Staff, id, "")
		if err != nil {
			t.Fatal(err)
		}
		return preview.Draft.Version()
	}
	for what, change := range map[string]func() error{
		"another message": func() error {
			return c.Practice.SaveDraft(ctx, c.Olga.Staff, id, practice.DraftChange{Forms: []string{"intake"},
				Messages: map[db.MessageKind]db.Message{db.InvitationMessage: {Subject: "Other", Body: "{portal_link}"}}})
		},
		"another form": func() error { return c.Practice.SaveDraft(ctx, c.Olga.Staff, id, practice.DraftChange{}) },
		"a message of her own": func() error {
			return c.Practice.ChangeMessage(ctx, c.Olga.Staff, id, c.Ann.PublicID, db.Message{Subject: "Yours", Body: "{portal_link}"}, false)
		},
		"one client more": func() error { chosen(t, c, c.Ben); return nil },
	} {
		seen := see()
		if err := change(); err != nil {
			t.Fatal(what, err)
		}
		if err := c.Practice.Send(ctx, c.Olga.Staff, id, seen); !errors.Is(err, practice.ErrNotAsPreviewed) {
			t.Errorf("%s was sent unseen: %v", what, err)
		}
	}
	if err := c.Practice.Send(ctx, c.Olga.Staff, id, see()); err != nil {
		t.Error(err)
	}
}

func TestPreviewIsWhatIsSent(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	ctx := t.Context()
	id := chosen(t, c, c.Ann, c.Ben)
	own := db.Message{Subject: "For {client_first_name} alone", Body: "Only *you*, {client_last_name}. {therapist_name} says hello."}
	if err := c.Practice.ChangeMessage(ctx, c.Olga.Staff, id, c.Ann.PublicID, own, false); err != nil {
		t.Fatal(err)
	}
	all := db.Message{Subject: "For everybody", Body: "{client_first_name}, call {practice_phone}. [Join]({portal_link}) by {link_expires_on}."}
	if err := c.Practice.ChangeMessage(ctx, c.Olga.Staff, id, c.Ben.PublicID, all, true); err != nil {
		t.Fatal(err)
	}
	for client, want := range map[*db.Client][]string{
		&c.Ann: {"For Ann alone", "Only you, Abbott. Tom Tran says hello.", mail.Slot},
		&c.Ben: {"For everybody", "Ben, call 555-0100.", "Monday, November 9, 2026", mail.Slot},
	} {
		preview, err := c.Practice.Preview(ctx, c.Olga.Staff, id, client.PublicID)
		if err != nil {
			t.Fatal(err)
		}
		text := preview.Letter.Subject + "\n" + strings.ReplaceAll(preview.Letter.Text, "*", "")
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s's letter lacks %q:\n%s", client.FirstName, w, text)
			}
		}
		if preview.Total() != 2 {
			t.Errorf("%d letters", preview.Total())
		}
	}
	d, err := c.Practice.Draft(ctx, c.Olga.Staff, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Practice.SaveDraft(ctx, c.Olga.Staff, id, practice.DraftChange{Messages: map[db.MessageKind]db.Message{db.InvitationMessage: d.Messages[0].Message}, Forms: []string{"phq-9"}, SaveDefault: true}); err != nil {
		t.Fatal(err)
	}
	// Nothing is a default before it is sent.
	if saved, _ := defaults(t, c); len(saved) != 0 {
		t.Errorf("a default before sending: %v", saved)
	}
	if err := c.Practice.Send(ctx, c.Olga.Staff, id, ""); err != nil {
		t.Fatal(err)
	}
	if saved, keys := defaults(t, c); saved[""] != all || len(keys) != 1 || keys[0] != "phq-9" {
		t.Errorf("the default is %+v with %v", saved, keys)
	}
	if l := letters(t, c, c.Ann); len(l) != 1 || l[0].Subject != "For Ann alone" {
		t.Errorf("Ann got %+v", l)
	}
}

// defaults are the saved messages and forms of invitations.
func defaults(t *testing.T, c *cast.Cast) (saved map[string]db.Message, keys []string) {
	t.Helper()
	if err := c.DB.View(t.Context(), func(tx *db.Tx) (err error) {
		if saved, err = tx.DefaultMessages(db.InvitationMessage); err != nil {
			return err
		}
		keys, err = tx.DefaultForms(db.InvitationMessage)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return saved, keys
}

func TestMessageFaults(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	id := chosen(t, c, c.Ann, c.Mia)
	for _, wrong := range []struct {
		kind    db.MessageKind
		m       db.Message
		field   string
		mention string
	}{
		{db.InvitationMessage, db.Message{Subject: " ", Body: "x"}, "invitation.subject", "subject"},
		{db.InvitationMessage, db.Message{Subject: "x", Body: "\n"}, "invitation.body", "message"},
		{db.InvitationMessage, db.Message{Subject: "x", Body: "Hi {client_frist_name}"}, "invitation.body", "{client_frist_name}"},
		{db.InvitationMessage, db.Message{Subject: "{portal_link}", Body: "x"}, "invitation.subject", "{portal_link}"},
		{db.FormsMessage, db.Message{Subject: "x", Body: "until {link_expires_on}"}, "forms.body", "{link_expires_on}"},
		{db.InvitationMessage, db.Message{Subject: "x", Body: strings.Repeat("&", 9_999)}, "invitation.body", "too long a mail"},
		{db.InvitationMessage, db.Message{Subject: "x", Body: strings.Repeat("{therapist_name}", 400)}, "invitation.body", "too long a mail"},
		{db.FormsMessage, db.Message{Subject: strings.Repeat("x", 201), Body: "x"}, "forms.subject", "200"},
	} {
		err := c.Practice.SaveDraft(t.Context(), c.Olga.Staff, id, practice.DraftChange{Messages: map[db.MessageKind]db.Message{wrong.kind: wrong.m}})
		var invalid practice.Invalid
		if !errors.As(err, &invalid) || !strings.Contains(invalid[wrong.field], wrong.mention) {
			t.Errorf("%.60v: %v", wrong.m, err)
		}
	}
}

func TestWhoMaySendFromClientDetails(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	ctx := t.Context()
	for _, ask := range []struct {
		name   string
		by     practice.Staff
		client db.Client
		want   error
	}{
		{"administrator, any", c.Olga.Staff, c.Ben, nil},
		{"therapist with the permission, own", c.Tom, c.Ann, nil},
		{"therapist with the permission, another's", c.Tom, c.Ben, practice.ErrNotFound},
		{"therapist without the permission, own", c.Tess, c.Ben, practice.ErrNotFound},
		{"front desk without the permission", c.Finn, c.Ann, practice.ErrNotFound},
		{"nobody", practice.Staff{}, c.Ann, practice.ErrNotFound},
		{"no address", c.Tom, c.Sam, practice.ErrNotAllowed},
	} {
		_, err := c.Practice.StartClientDraft(ctx, ask.by, ask.client.PublicID)
		if !errors.Is(err, ask.want) || ask.want == nil && err != nil {
			t.Errorf("%s: %v", ask.name, err)
		}
	}
	id, err := c.Practice.StartClientDraft(ctx, c.Tom, c.Ann.PublicID)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := c.Practice.StartClientDraft(ctx, c.Tom, c.Ann.PublicID); again != id {
		t.Error("a second draft was begun for the same client")
	}
	if _, err := c.Practice.Draft(ctx, c.Olga.Staff, id); !errors.Is(err, practice.ErrNotFound) {
		t.Errorf("somebody else's draft: %v", err)
	}
	// The right is asked for again when it is sent.
	if err := c.DB.Update(ctx, func(tx *db.Tx) error {
		tom, err := tx.Staff(c.Tom.PublicID())
		if err != nil {
			return err
		}
		return tx.Unassign(tom.ID, c.Ann.ID)
	}); err != nil {
		t.Fatal(err)
	}
	if err := c.Practice.Send(ctx, c.Tom, id, ""); !errors.Is(err, practice.ErrNotFound) {
		t.Errorf("sent to a client who is not theirs any more: %v", err)
	}
	if l := letters(t, c, c.Ann); len(l) != 0 {
		t.Errorf("letters: %+v", l)
	}
}

func TestTwoPressesSendOnce(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	id := chosen(t, c, c.Ann, c.Ben)
	var wait sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wait.Go(func() { errs[i] = c.Practice.Send(t.Context(), c.Olga.Staff, id, "") })
	}
	wait.Wait()
	sent := 0
	for _, err := range errs {
		if err == nil {
			sent++
		} else if !errors.Is(err, db.ErrSent) {
			t.Error(err)
		}
	}
	if n := len(letters(t, c, c.Ann)); sent != 1 || n != 1 {
		t.Errorf("%d of 8 presses sent, and Ann has %d letters", sent, n)
	}
}

func TestSelection(t *testing.T) {
	c := cast.New(t)
	ctx := t.Context()
	change := func(s practice.SelectionChange) practice.Selection {
		t.Helper()
		got, err := c.Practice.ChangeSelection(ctx, c.Olga, s)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	names := func(s practice.Selection) string {
		var all []string
		for _, n := range s.Named {
			all = append(all, n.FirstName)
		}
		return fmt.Sprint(all)
	}
	if got := change(practice.SelectionChange{Found: &practice.ClientQuery{}}); names(got) != "[Ann Ben Leo Mia]" {
		t.Errorf("all found: %s (Sam has no address)", names(got))
	}
	// A page shows Ann and Ben; Ann is unticked: Leo and Mia, who are not on it, stay.
	if got := change(practice.SelectionChange{Shown: []string{c.Ann.PublicID, c.Ben.PublicID}, On: []string{c.Ben.PublicID}}); names(got) != "[Ben Leo Mia]" {
		t.Errorf("after unticking Ann: %s", names(got))
	}
	if got := change(practice.SelectionChange{Drop: c.Leo.PublicID}); names(got) != "[Ben Mia]" || got.Count != 2 {
		t.Errorf("after dropping Leo: %s", names(got))
	}
	if got := change(practice.SelectionChange{On: []string{c.Sam.PublicID}}); names(got) != "[Ben Mia]" {
		t.Errorf("Sam, who can't be reached, was chosen: %s", names(got))
	}
	// A search far too long is cut as the list cuts it; and a hostile number of rows takes no time.
	long := strings.Repeat("a ", 50_000)
	if got := change(practice.SelectionChange{Found: &practice.ClientQuery{Words: long}}); names(got) != "[Ann Ben Leo Mia]" {
		t.Errorf("all found by a long search: %s", names(got))
	}
	many := practice.SelectionChange{Drop: c.Ann.PublicID}
	for i := range 100_000 {
		many.Shown, many.On = append(many.Shown, fmt.Sprint("shown", i)), append(many.On, fmt.Sprint("on", i))
	}
	if got := change(many); names(got) != "[Ben Leo Mia]" {
		t.Errorf("among many: %s", names(got))
	}
	if got := change(practice.SelectionChange{Clear: true}); got.Count != 0 {
		t.Errorf("after clearing: %s", names(got))
	}
}

func TestThousandLettersInOneTransaction(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	ctx := t.Context()
	if err := c.DB.Update(ctx, func(tx *db.Tx) error {
		for i := range 1000 {
			address, err := db.ParseEmail(fmt.Sprintf("client%d@mail.example", i))
			if err != nil {
				return err
			}
			if err := tx.AddClient(&db.Client{FirstName: "Client", LastName: fmt.Sprintf("Number%04d", i), Email: address}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	found := "number"
	if _, err := c.Practice.ChangeSelection(ctx, c.Olga, practice.SelectionChange{Found: &practice.ClientQuery{Words: found}}); err != nil {
		t.Fatal(err)
	}
	_, id, err := c.Practice.Selection(ctx, c.Olga)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Practice.Send(ctx, c.Olga.Staff, id, ""); err != nil {
		t.Fatal(err)
	}
	o, err := c.Practice.Outcome(ctx, c.Olga.Staff, id, 0, 25)
	if err != nil {
		t.Fatal(err)
	}
	if o.Progress.Total != 1000 || o.Progress.Waiting != 1000 || len(o.Letters) != 25 || o.Letters[0].Client.LastName != "Number0000" {
		t.Errorf("%+v, %d letters", o.Progress, len(o.Letters))
	}
}
