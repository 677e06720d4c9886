package db

import (
	"fmt"
	"testing"
	"time"
)

// A list that nobody looked at while much happened is read anew once what happened was swept away.
func TestSweptSendingsAreReadAnew(t *testing.T) {
	d := Temp(t, time.Now)
	c := Client{FirstName: "Ann", LastName: "Abbott", Email: address(t, "ann@mail.example")}
	update := func(fn func(*Tx) error) {
		t.Helper()
		if err := d.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	want := func(state SendingState) {
		t.Helper()
		if err := d.View(t.Context(), func(tx *Tx) error {
			_, total, counts, err := tx.FindSendings(Everybody(), SendingFilter{State: state}, 0, 5)
			if total != 1 || counts.States[SendingReplaced]+counts.States[SendingRevoked] != 4 {
				t.Errorf("%d are %q: %+v", total, state, counts)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx *Tx) error {
		if err := tx.AddClient(&c); err != nil {
			return err
		}
		l := Link{Purpose: LinkJoin, ClientID: c.ID, ExpiresAt: tx.Now().Add(time.Hour)}
		if err := tx.AddLink(&l); err != nil {
			return err
		}
		m := StaffMember{Name: "Olga", Email: address(t, "olga@willow.example"), Role: RoleAdministrator}
		if err := tx.AddStaff(&m); err != nil {
			return err
		}
		i := Invitation{ClientID: c.ID, LinkID: l.ID, SentBy: m.ID}
		if err := tx.AddInvitation(&i); err != nil {
			return err
		}
		other := Client{FirstName: "Ben", LastName: "Bell", Email: address(t, "ben@mail.example")} // so that not all is read anew anyway
		if err := tx.AddClient(&other); err != nil {
			return err
		}
		for n := range 4 {
			if err := tx.AddLetter(&Letter{Kind: LetterForms, ClientID: other.ID, MessageID: fmt.Sprint("<other", n, "@x.example>"), To: other.Email, Data: []byte("x")}); err != nil {
				return err
			}
		}
		return tx.AddLetter(&Letter{Kind: LetterInvitation, ClientID: c.ID, InvitationID: i.ID, LinkID: l.ID, MessageID: "<1@x.example>", To: c.Email, Data: []byte("x")})
	})
	want(SendingQueued)
	for _, later := range []struct {
		touches int
		state   LetterState
		want    SendingState
	}{{1, LetterFailed, SendingCouldntSend}, {keptTouches + 1, LetterAccepted, SendingInvited}} {
		update(func(tx *Tx) error {
			if _, err := tx.exec("UPDATE letters SET state = ? WHERE kind = 'invitation'", later.state); err != nil {
				return err
			}
			_, err := tx.exec("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO client_touches (client_id) SELECT 0 FROM n", later.touches)
			return err
		})
		if err := d.View(t.Context(), func(tx *Tx) error {
			_, _, err := tx.FindClients(Everybody(), ClientFilter{}, ByName, 0, 5)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for more := true; more; {
			update(func(tx *Tx) (err error) { more, err = tx.SweepTouches(); return err })
		}
		want(later.want)
	}
}
