package db

import (
	"testing"
	"time"
)

func TestOpen(t *testing.T) {
	d := Temp(t, time.Now)
	ctx := t.Context()
	ann, _ := ParseEmail("Ann@Example.example")
	c := Client{FirstName: "Ann", LastName: "Ångström", Email: ann}
	if err := d.Update(ctx, func(tx *Tx) error {
		if err := tx.Audit(AuditEntry{Act: "x"}); err != nil {
			return err
		}
		return tx.AddClient(&c)
	}); err != nil {
		t.Fatal(err)
	}
	if err := d.Update(ctx, func(tx *Tx) error {
		return tx.AddClient(&Client{FirstName: "B", LastName: "C", Email: ann})
	}); err != ErrEmailTaken {
		t.Fatal(err)
	}
	if err := d.View(ctx, func(tx *Tx) error {
		got, n, err := tx.FindClients(Everybody(), ClientFilter{Query: "angs ANN"}, ByName, 0, 25)
		if err != nil || n != 1 || got[0].ID != c.ID {
			t.Error(got, n, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.VerifyAudit(ctx, AuditHead{}, nil); err != nil {
		t.Fatal(err)
	}
}
