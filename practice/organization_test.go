package practice_test

import (
	"errors"
	"strings"
	"testing"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

func organization(t *testing.T, c *cast.Cast) db.Organization {
	t.Helper()
	o, err := c.Practice.Organization(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// wrongIn returns what is said to be wrong with a field.
func wrongIn(t *testing.T, err error, field string) string {
	t.Helper()
	var wrong practice.Invalid
	if !errors.As(err, &wrong) || wrong[field] == "" {
		t.Fatalf("got %v, want a sentence for %s", err, field)
	}
	return wrong[field]
}

func TestOrganizationFields(t *testing.T) {
	c := cast.New(t)
	good := practice.OrganizationFieldsOf(organization(t, c))
	for _, test := range []struct {
		field  string
		change func(*practice.OrganizationFields)
	}{
		{"name", func(f *practice.OrganizationFields) { f.Name = " " }},
		{"phone", func(f *practice.OrganizationFields) { f.Phone = "none" }},
		{"address", func(f *practice.OrganizationFields) { f.Address = "1\n2\n3\n4\n5\n6\n7" }},
		{"address", func(f *practice.OrganizationFields) { f.Address = strings.Repeat("w", 301) }},
		{"time_zone", func(f *practice.OrganizationFields) { f.TimeZone = "" }},
		{"time_zone", func(f *practice.OrganizationFields) { f.TimeZone = " Local " }},
		{"time_zone", func(f *practice.OrganizationFields) { f.TimeZone = "right/America/New_York" }},
		{"time_zone", func(f *practice.OrganizationFields) { f.TimeZone = "../../etc/passwd" }},
	} {
		fields := good
		test.change(&fields)
		wrongIn(t, c.Practice.ChangeOrganization(t.Context(), c.Olga, fields), test.field)
	}
	fields := good
	fields.Address, fields.TimeZone = " 12 Willow Street\r\n\r\n  Springfield \r\n", "america/new york"
	if err := c.Practice.ChangeOrganization(t.Context(), c.Olga, fields); err == nil {
		t.Error("a zone's name in other letters was taken")
	}
	fields.TimeZone = "America/Los Angeles"
	if err := c.Practice.ChangeOrganization(t.Context(), c.Olga, fields); err != nil {
		t.Fatal(err)
	}
	if o := organization(t, c); o.Address != "12 Willow Street\nSpringfield" || o.TimeZone.String() != "America/Los_Angeles" {
		t.Errorf("kept %q, %v", o.Address, o.TimeZone)
	}
	if err := c.Practice.ChangeOrganization(t.Context(), practice.Administrator{Staff: c.Tom}, good); !errors.Is(err, practice.ErrNotAllowed) {
		t.Errorf("Tom, who is no administrator, gets %v", err)
	}
}

func TestNobodyOverwritesSettingsUnseen(t *testing.T) {
	c := cast.New(t)
	first := practice.OrganizationFieldsOf(organization(t, c))
	second := first
	first.Phone, second.Address = "555-0111", "12 Willow Street"
	if err := c.Practice.ChangeOrganization(t.Context(), c.Olga, first); err != nil {
		t.Fatal(err)
	}
	if sentence := wrongIn(t, c.Practice.ChangeOrganization(t.Context(), c.Olga, second), "version"); !strings.Contains(sentence, "phone “555-0111”") {
		t.Errorf("it doesn't say what is on file: %s", sentence)
	}
	if o := organization(t, c); o.Phone != "555-0111" || o.Address != "" {
		t.Errorf("kept %q, %q", o.Phone, o.Address)
	}
	// The portal's settings are another page: they have a version of their own.
	portal := practice.PortalFieldsOf(organization(t, c))
	second.Version = practice.OrganizationFieldsOf(organization(t, c)).Version
	if err := c.Practice.ChangeOrganization(t.Context(), c.Olga, second); err != nil {
		t.Fatal(err)
	}
	portal.Welcome = "Come in."
	if err := c.Practice.ChangePortal(t.Context(), c.Olga, portal); err != nil {
		t.Fatal(err)
	}
	portal.Welcome = "Come in again."
	wrongIn(t, c.Practice.ChangePortal(t.Context(), c.Olga, portal), "version")
}

func TestAddressStandsBelowLetters(t *testing.T) {
	c := cast.New(t)
	fields := practice.OrganizationFieldsOf(organization(t, c))
	fields.Address = "12 Willow Street\nSpringfield"
	if err := c.Practice.ChangeOrganization(t.Context(), c.Olga, fields); err != nil {
		t.Fatal(err)
	}
	letter, err := c.Practice.PreviewDefault(t.Context(), c.Olga, db.InvitationMessage, "")
	if err != nil {
		t.Fatal(err)
	}
	if want := "-- \nWillow Street Counseling, 555-0100\n12 Willow Street\nSpringfield\nOlga Olson sent you this for Willow Street Counseling.\nYou get this mail because"; !strings.Contains(letter.Text, want) {
		t.Errorf("the text ends %q", letter.Text)
	}
}

func TestDefaultMessages(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	load := func() practice.DefaultMessage {
		all, err := c.Practice.DefaultMessages(t.Context(), c.Olga)
		if err != nil || len(all) != 8 || all[0].Kind != db.InvitationMessage || all[4].Kind != db.FormsMessage || !all[4].Own() {
			t.Fatalf("got %v, %v", all, err)
		}
		return all[0]
	}
	m := load()
	if !m.Original {
		t.Error("a text that nobody changed is not the original")
	}
	change := func(typed db.Message, version string) error {
		return c.Practice.ChangeDefaultMessage(t.Context(), c.Olga, db.InvitationMessage, "", typed, []string{"phq-9", "no such form"}, version)
	}
	if sentence := wrongIn(t, change(db.Message{Subject: "Hello", Body: "{nick_name}"}, ""), "invitation.body"); !strings.Contains(sentence, "{nick_name}") {
		t.Errorf("the unknown placeholder isn't named: %s", sentence)
	}
	wrongIn(t, change(db.Message{Subject: "{portal_link}", Body: "Hello"}, ""), "invitation.subject")
	own := db.Message{Subject: "Welcome", Body: "Hello {client_first_name}"}
	if err := change(own, m.Version); err != nil {
		t.Fatal(err)
	}
	wrongIn(t, change(db.Message{Subject: "Another", Body: "Text"}, m.Version), "version")
	if now := load(); now.Message != own || now.Original || now.Restored().Message == own {
		t.Errorf("saved %+v", now)
	}
	d, err := c.Practice.Draft(t.Context(), c.Olga.Staff, chosen(t, c, c.Ann))
	if err != nil {
		t.Fatal(err)
	}
	if d.Messages[0].Message != own || d.Forms[0].Chosen || !d.Forms[1].Chosen {
		t.Errorf("a new draft starts with %+v, %+v", d.Messages, d.Forms)
	}
	letter, err := c.Practice.PreviewDefault(t.Context(), c.Olga, db.InvitationMessage, "")
	if err != nil || !strings.Contains(letter.Text, "Hello Alexandra") || !strings.Contains(letter.Text, "Join Client Portal") {
		t.Errorf("the preview is %q, %v", letter.Text, err)
	}
	if err := c.Practice.ChangeDefaultMessage(t.Context(), c.Olga, "postcard", "", own, nil, ""); !errors.Is(err, practice.ErrNotFound) {
		t.Errorf("a kind that isn't one gets %v", err)
	}
}

func TestPlaceholdersToday(t *testing.T) {
	c := cast.New(t)
	all, err := c.Practice.PlaceholdersToday(t.Context(), c.Olga)
	if err != nil {
		t.Fatal(err)
	}
	shows := map[string]string{}
	for _, p := range all {
		shows[p.Name] = p.Shows
	}
	for name, want := range map[string]string{"client_preferred_name": "Alex", "practice_phone": "555-0100", "sender_name": "Olga Olson", "link_expires_on": "Monday, November 9, 2026"} {
		if shows[name] != want {
			t.Errorf("{%s} shows %q, want %q", name, shows[name], want)
		}
	}
	if len(all) < len(practice.Placeholders(db.InvitationMessage)) {
		t.Errorf("only %d placeholders are listed", len(all))
	}
}

func TestPortalOff(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	ctx := t.Context()
	token := invite(t, c)
	draft := chosen(t, c, c.Ben)
	use, err := c.Practice.PortalUse(ctx, c.Olga)
	if want := (db.PortalUse{Accounts: 2, Invitations: 1, Letters: 1}); err != nil || use != want {
		t.Errorf("in use: %+v, %v; want %+v", use, err, want)
	}
	if err := c.Practice.TurnPortalOff(ctx, practice.Administrator{Staff: c.Tom}); !errors.Is(err, practice.ErrNotAllowed) {
		t.Errorf("Tom turns the portal off: %v", err)
	}
	if err := c.Practice.TurnPortalOff(ctx, c.Olga); err != nil {
		t.Fatal(err)
	}

	if who, err := c.Practice.Authenticate(ctx, c.Sessions["Mia"], true); err != nil || !who.Nobody() {
		t.Errorf("Mia is still signed in: %v", err)
	}
	if who, err := c.Practice.Authenticate(ctx, c.Sessions["Tom"], true); err != nil || who.Nobody() {
		t.Errorf("Tom was signed out: %v", err)
	}
	if _, _, err := c.Practice.SignIn(ctx, c.Mia.Email.String(), cast.Password, practice.Browser{Network: "home"}); !errors.Is(err, practice.ErrPortalOff) {
		t.Errorf("Mia, who has the right password, gets %v", err)
	}
	if page, err := c.Practice.AuditLog(ctx, c.Olga, practice.AuditQuery{By: practice.DoneByClients}, db.AuditPlace{}); err != nil || len(page.Lines) != 1 ||
		page.Lines[0].Sentence() != "Mia Moreno was refused: the client portal is turned off" {
		t.Errorf("the audit log says %+v, %v", page.Lines, err)
	}
	if _, _, err := c.Practice.SignIn(ctx, c.Mia.Email.String(), "wrong password!", practice.Browser{Network: "home"}); errors.Is(err, practice.ErrPortalOff) || err == nil {
		t.Errorf("with a wrong one she gets %v", err)
	}
	if _, _, err := c.Practice.ChoosePassword(ctx, token, newPassword, practice.Browser{Network: "home"}); !errors.As(err, &practice.NotLive{}) {
		t.Errorf("Ann joins with %v", err)
	}
	before := len(lettersTo(t, c, c.Mia.ID, 0))
	if err := c.Practice.ForgotPassword(ctx, c.Mia.Email.String(), "home"); err != nil {
		t.Fatal(err)
	}
	if n := len(lettersTo(t, c, c.Mia.ID, 0)); n != before {
		t.Error("a link to a closed portal was mailed")
	}
	if wrong := wrongIn(t, c.Practice.Send(ctx, c.Olga.Staff, draft, ""), "send"); !strings.Contains(wrong, "turned off") {
		t.Errorf("sending says %s", wrong)
	}
	if _, err := c.Practice.StartClientDraft(ctx, c.Tom, c.Ann.PublicID); !errors.Is(err, practice.ErrNotAllowed) {
		t.Errorf("Tom begins a draft: %v", err)
	}
	if d, err := c.Practice.OpenClient(ctx, c.Tom, c.Ann.PublicID, false); err != nil || !strings.Contains(d.NoInvite, "turned off") {
		t.Errorf("the client's page says %q, %v", d.NoInvite, err)
	}
	claims := func() (n int) {
		if err := c.DB.Update(ctx, func(tx *db.Tx) error {
			next, err := tx.NextLetter()
			if err != nil {
				return err
			}
			claimed, err := tx.ClaimLetters(10, 0)
			if n = len(claimed); (n == 0) != next.IsZero() {
				t.Errorf("%d letters leave, the next one is due at %v", n, next)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := claims(); n != 0 {
		t.Errorf("%d letters leave while the portal is off", n)
	}

	if err := c.Practice.TurnPortalOn(ctx, c.Olga); err != nil {
		t.Fatal(err)
	}
	if n := claims(); n != 1 {
		t.Errorf("%d letters leave once it is on, want Ann's", n)
	}
	if _, _, err := c.Practice.ChoosePassword(ctx, token, newPassword, practice.Browser{Network: "home"}); err != nil {
		t.Errorf("Ann's link was spent: %v", err)
	}
	if _, _, err := c.Practice.SignIn(ctx, c.Mia.Email.String(), cast.Password, practice.Browser{Network: "home"}); err != nil {
		t.Errorf("Mia can't sign in: %v", err)
	}
}
