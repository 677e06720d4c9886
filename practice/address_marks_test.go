package practice_test

import (
	"errors"
	"testing"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

func onFile(t *testing.T, c *cast.Cast, clientID int64) (client db.Client) {
	t.Helper()
	if err := c.DB.View(t.Context(), func(tx *db.Tx) (err error) {
		client, err = tx.ClientByID(db.Everybody(), clientID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return client
}

func TestWhoMarksAnAddress(t *testing.T) {
	for _, who := range []struct {
		name string
		by   func(*cast.Cast) practice.Staff
		want error
	}{
		{"Olga", func(c *cast.Cast) practice.Staff { return c.Olga.Staff }, nil},
		{"Tom, whose client it is", func(c *cast.Cast) practice.Staff { return c.Tom }, nil},
		{"Tess, whose client it isn't", func(c *cast.Cast) practice.Staff { return c.Tess }, practice.ErrNotFound},
		{"Finn, without permission", func(c *cast.Cast) practice.Staff { return c.Finn }, practice.ErrNotAllowed},
		{"nobody", func(*cast.Cast) practice.Staff { return practice.Staff{} }, practice.ErrNotFound},
	} {
		c := cast.New(t)
		by := who.by(c)
		if err := c.Practice.MarkBounced(t.Context(), by, c.Ann.PublicID, "ann@mail.example"); !errors.Is(err, who.want) {
			t.Errorf("%s marks: %v, want %v", who.name, err, who.want)
		}
		if marked := onFile(t, c, c.Ann.ID).Portal.Troubled(); marked != (who.want == nil) {
			t.Errorf("%s: marked %v", who.name, marked)
		}
		if err := c.Practice.MarkBounced(t.Context(), c.Olga.Staff, c.Ann.PublicID, "ann@mail.example"); err != nil {
			t.Fatal(err)
		}
		if err := c.Practice.LiftAddressMarks(t.Context(), by, c.Ann.PublicID, "ann@mail.example"); !errors.Is(err, who.want) {
			t.Errorf("%s lifts: %v, want %v", who.name, err, who.want)
		}
		if marked := onFile(t, c, c.Ann.ID).Portal.Troubled(); marked != (who.want != nil) {
			t.Errorf("%s lifted it: marked %v", who.name, marked)
		}
	}
}

// What is known of an address is lost with it, and with nothing else.
func TestMarksStayWithTheAddress(t *testing.T) {
	c := cast.New(t)
	invite(t, c)
	mark := func() {
		t.Helper()
		if err := c.Practice.MarkBounced(t.Context(), c.Tom, c.Ann.PublicID, " ANN@mail.example"); err != nil {
			t.Fatal(err)
		}
	}
	fields := practice.ClientFields{FirstName: "Ann", LastName: "Abbott", Email: "ann@mail.example"}
	save := func() {
		t.Helper()
		if err := c.Practice.ChangeClient(t.Context(), c.Tom, c.Ann.PublicID, fields); err != nil {
			t.Fatal(err)
		}
	}
	mark()
	if state := onFile(t, c, c.Ann.ID).Portal.State(c.Clock.Now()); state != db.PortalCouldntSend {
		t.Errorf("state %q", state)
	}
	fields.Phone = "555-0123"
	save()
	if got := onFile(t, c, c.Ann.ID); got.Portal.BouncedAt.IsZero() || got.Phone != "555-0123" {
		t.Errorf("after another field was changed: %+v", got)
	}
	fields.Email = "Ann@Mail.example"
	save()
	if got := onFile(t, c, c.Ann.ID); got.Portal.BouncedAt.IsZero() || got.Email.String() != "Ann@Mail.example" {
		t.Errorf("spelled otherwise: %+v", got)
	}
	if err := c.Practice.MarkBounced(t.Context(), c.Tom, c.Ann.PublicID, "other@mail.example"); !errors.Is(err, db.ErrClosed) {
		t.Errorf("an address that isn't on file: %v", err)
	}
	fields.Email = "ann.abbott@mail.example"
	save()
	if got := onFile(t, c, c.Ann.ID); got.Portal.Troubled() {
		t.Errorf("a new address: %+v", got)
	}
	fields.Email = "ann@mail.example"
	save()
	if got := onFile(t, c, c.Ann.ID); got.Portal.Troubled() {
		t.Errorf("the old one, given anew: %+v", got)
	}
}

func TestOpenedIsNotedOnce(t *testing.T) {
	c := cast.New(t)
	token := invite(t, c)
	opened := func() (link db.Link) {
		t.Helper()
		if err := c.Practice.NoteOpened(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if err := c.DB.View(t.Context(), func(tx *db.Tx) (err error) {
			link, err = tx.LinkByToken(token)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return link
	}
	first := c.Clock.Now()
	for range 2 {
		if link := opened(); !link.OpenedAt.Equal(first.Truncate(1e6)) || !link.UsedAt.IsZero() {
			t.Errorf("%+v", link)
		}
		c.Clock.Move(1e9)
	}
	wantState(t, c, token, practice.LinkLive)
	if err := c.Practice.NoteOpened(t.Context(), "no such token"); err != nil {
		t.Error(err)
	}
}
