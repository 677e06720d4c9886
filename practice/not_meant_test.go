package practice_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// ownToken is the token of the own link of a client's newest letter.
func ownToken(t *testing.T, c *cast.Cast, client db.Client) string {
	t.Helper()
	return tokenOf(t, c, letters(t, c, client)[0])
}

func tokenOf(t *testing.T, c *cast.Cast, letter db.Letter) (token string) {
	t.Helper()
	if err := c.DB.View(t.Context(), func(tx *db.Tx) (err error) {
		token, err = tx.LetterToken(letter)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return token
}

func record(t *testing.T, c *cast.Cast, client db.Client) (now db.Client) {
	t.Helper()
	if err := c.DB.View(t.Context(), func(tx *db.Tx) (err error) {
		now, err = tx.ClientByID(db.Everybody(), client.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return now
}

func saysNotMeant(t *testing.T, c *cast.Cast, token string) {
	t.Helper()
	if err := c.Practice.NotMeant(t.Context(), token, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
}

func history(t *testing.T, c *cast.Cast, client db.Client) (n int) {
	t.Helper()
	d, err := c.Practice.OpenClient(t.Context(), c.Olga.Staff, client.PublicID, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range d.History {
		if strings.Contains(h.Act, "our mail isn't meant for them") {
			n++
		}
	}
	return n
}

func TestNotMeantStopsLettersToTheAddress(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	ctx := t.Context()
	invite := func() error { return c.Practice.Send(ctx, c.Olga.Staff, chosen(t, c, c.Ann), "") }
	if err := invite(); err != nil {
		t.Fatal(err)
	}
	token := ownToken(t, c, c.Ann)
	for range 2 { // said twice is said once
		saysNotMeant(t, c, token)
	}
	ann := record(t, c, c.Ann)
	if s := ann.Portal.State(c.Clock.Now()); s != db.PortalCouldntSend || ann.Portal.Open(c.Clock.Now()) {
		t.Errorf("Ann: %s, her link open: %v", s, ann.Portal.Open(c.Clock.Now()))
	}
	if l := letters(t, c, c.Ann); l[0].State != db.LetterCancelled || !strings.Contains(l[0].Reply, "isn't meant for them") {
		t.Errorf("the queued letter: %s, %q", l[0].State, l[0].Reply)
	}
	if n := history(t, c, c.Ann); n != 1 {
		t.Errorf("%d entries in the history", n)
	}
	// Nothing is sent to her, whichever way.
	if why := practice.Unreachable(ann); why == "" {
		t.Error("she can be invited")
	}
	if _, err := c.Practice.StartClientDraft(ctx, c.Tom, c.Ann.PublicID); !errors.Is(err, practice.ErrNotAllowed) {
		t.Errorf("on her page: %v", err)
	}
	if err := invite(); err == nil {
		t.Error("she was invited")
	}
	before := len(letters(t, c, c.Ann))
	if err := c.Practice.ForgotPassword(ctx, "ann@mail.example", "192.0.2.7"); err != nil || len(letters(t, c, c.Ann)) != before {
		t.Errorf("a letter was sent to who asked: %v", err)
	}
	// Somebody lifts the mark.
	if err := c.Practice.LiftAddressMarks(ctx, c.Tom, c.Ann.PublicID, "ann@mail.example"); err != nil {
		t.Fatal(err)
	}
	if s := record(t, c, c.Ann).Portal.State(c.Clock.Now()); s != db.PortalNotInvited {
		t.Errorf("with the mark lifted: %s", s)
	}
	if err := invite(); err != nil || letters(t, c, c.Ann)[0].State != db.LetterQueued {
		t.Errorf("invited again: %v", err)
	}
}

func TestNotMeantIsOfTheAddressItCameTo(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	ctx := t.Context()
	if err := c.Practice.Send(ctx, c.Olga.Staff, chosen(t, c, c.Ann), ""); err != nil {
		t.Fatal(err)
	}
	token := ownToken(t, c, c.Ann)
	ann := record(t, c, c.Ann)
	ann.Email, _ = db.ParseEmail("ann@new.example")
	if err := c.DB.Update(ctx, func(tx *db.Tx) error { return tx.ChangeClient(ann) }); err != nil {
		t.Fatal(err)
	}
	saysNotMeant(t, c, token)
	if ann = record(t, c, c.Ann); !ann.Portal.UnwantedAt.IsZero() || history(t, c, c.Ann) != 0 {
		t.Errorf("the new address was marked at %s", ann.Portal.UnwantedAt)
	}
	// Nor is anybody else's who has the old one by now.
	ben := record(t, c, c.Ben)
	ben.Email, _ = db.ParseEmail("ann@mail.example")
	if err := c.DB.Update(ctx, func(tx *db.Tx) error { return tx.ChangeClient(ben) }); err != nil {
		t.Fatal(err)
	}
	saysNotMeant(t, c, token)
	if !record(t, c, c.Ben).Portal.UnwantedAt.IsZero() {
		t.Error("another client's address was marked")
	}
}

// A stray click locks nobody out: whoever knows the password gets in, and word of a change of the account still comes.
func TestNotMeantLeavesAnAccount(t *testing.T) {
	c := cast.New(t)
	ctx := t.Context()
	if err := c.Practice.ForgotPassword(ctx, "mia@mail.example", "192.0.2.7"); err != nil {
		t.Fatal(err)
	}
	password := lastToken(t, c, c.Mia.ID, 0)
	saysNotMeant(t, c, ownToken(t, c, c.Mia))
	if l, err := c.Practice.OpenLink(ctx, password); err != nil || l.State != practice.LinkEnded {
		t.Errorf("the link for a new password: %s, %v", l.State, err)
	}
	if s := record(t, c, c.Mia).Portal.State(c.Clock.Now()); s != db.PortalActive {
		t.Errorf("Mia: %s", s)
	}
	if _, _, err := c.Practice.SignIn(ctx, "mia@mail.example", cast.Password, practice.Browser{Network: "192.0.2.8"}); err != nil {
		t.Errorf("Mia can't sign in: %v", err)
	}
	before := len(letters(t, c, c.Mia))
	if err := c.Practice.AskForAddress(ctx, c.MiaActor, "mia@new.example", cast.Password, "192.0.2.8"); err != nil {
		t.Fatal(err)
	}
	claimed := 0
	if err := c.DB.Update(ctx, func(tx *db.Tx) error {
		all, err := tx.ClaimLetters(10, time.Minute)
		claimed = len(all)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if n := len(letters(t, c, c.Mia)) - before; n != 2 || claimed != 2 {
		t.Errorf("%d letters, of which %d leave: to the new address, and word to the old", n, claimed)
	}
	// The new address isn't hers either: it is given up, and the old one stays as it is.
	asked := letters(t, c, c.Mia)[:2]
	toNew := asked[slices.IndexFunc(asked, func(l db.Letter) bool { return l.Kind == db.LetterNewAddress })]
	saysNotMeant(t, c, tokenOf(t, c, toNew))
	if err := c.DB.View(ctx, func(tx *db.Tx) error {
		_, err := tx.AddressChange(db.Everybody(), c.Mia.ID)
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("the address still waits: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n := history(t, c, c.Mia); n != 2 {
		t.Errorf("%d entries in the history", n)
	}
}

func TestDatabaseAloneSaysNothingInARecipientsName(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	if err := c.Practice.Send(t.Context(), c.Olga.Staff, chosen(t, c, c.Ann), ""); err != nil {
		t.Fatal(err)
	}
	token := ownToken(t, c, c.Ann)
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		var found int
		for _, column := range []string{"token_hash", "message_id", "key_id"} {
			if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM letters WHERE instr("+column+", ?) > 0", token).Scan(&found); err != nil || found > 0 {
				t.Errorf("%s holds the token: %v", column, err)
			}
		}
		err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM letter_mails WHERE instr(data, ?) > 0", token).Scan(&found)
		if found > 0 {
			t.Error("the frozen letter holds the token")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// Who joined, or was heard from, reads the address: an older letter can't deny it any more, nor can one of long ago.
func TestOldLettersDenyNothing(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	ctx := t.Context()
	invite := func(client db.Client) string {
		t.Helper()
		if err := c.Practice.Send(ctx, c.Olga.Staff, chosen(t, c, client), ""); err != nil {
			t.Fatal(err)
		}
		c.Clock.Move(time.Hour)
		return ownToken(t, c, client)
	}
	unwanted := func(client db.Client) bool { return !record(t, c, client).Portal.UnwantedAt.IsZero() }

	joined := invite(c.Ann)
	if _, _, err := c.Practice.ChoosePassword(ctx, lastToken(t, c, c.Ann.ID, 0), "a quiet place to wait", practice.Browser{Network: "192.0.2.9"}); err != nil {
		t.Fatal(err)
	}
	if saysNotMeant(t, c, joined); unwanted(c.Ann) {
		t.Error("who joined is denied by the invitation")
	}

	first := invite(c.Ben)
	if saysNotMeant(t, c, first); !unwanted(c.Ben) {
		t.Fatal("nothing is noted at all")
	}
	c.Clock.Move(time.Hour)
	if err := c.Practice.LiftAddressMarks(ctx, c.Olga.Staff, c.Ben.PublicID, c.Ben.Email.String()); err != nil {
		t.Fatal(err)
	}
	if saysNotMeant(t, c, first); unwanted(c.Ben) {
		t.Error("the letter before the office's word still denies it")
	}
	c.Clock.Move(time.Hour)
	second := invite(c.Ben)
	c.Clock.Move(31 * 24 * time.Hour)
	if saysNotMeant(t, c, second); unwanted(c.Ben) {
		t.Error("a letter of long ago denies it")
	}
	third := invite(c.Ben)
	if saysNotMeant(t, c, third); !unwanted(c.Ben) {
		t.Error("a new letter can't deny it")
	}
}
