package db

import (
	"context"
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
)

// A practice's database of the first release comes through every later migration whole.
func TestMigrationsKeepWhatIsThere(t *testing.T) {
	folder := t.TempDir()
	first, err := sql.Open(driver, "file:"+filepath.Join(folder, "anteroom.db")+"?_journal_mode=WAL&_txlock=immediate&_foreign_keys=on")
	if err != nil {
		t.Fatal(err)
	}
	first.SetMaxOpenConns(1)
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, first, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"INSERT INTO staff_members (id, public_id, name, role, created_at) VALUES (1, 'olga', 'Olga', 'administrator', 1)",
		"INSERT INTO clients (id, public_id, first_name, last_name, sort_key, search, changed, created_at) VALUES (1, 'ann', 'Ann', 'Abbott', 'abbott'||char(31)||'ann', 'ann abbott a.nn+x@mail.example', 1, 1)",
		"INSERT INTO email_addresses (canonical, email, client_id) VALUES ('a.nn+x@mail.example', 'A.nn+x@mail.example', 1)",
		"INSERT INTO email_addresses (canonical, email, staff_id) VALUES ('olga@willow.example', 'olga@willow.example', 1)",
		"INSERT INTO links (id, purpose, client_id, token_hash, nonce, key_id, created_at, expires_at) VALUES (7, 'join', 1, x'01', x'02', 'k', 1, 9999999999999)",
		"INSERT INTO invitations (id, public_id, client_id, link_id, sent_by, sent_at) VALUES (5, 'i', 1, 7, 1, 1)",
		`INSERT INTO letters (id, public_id, kind, client_id, sent_by, invitation_id, link_id, message_id, canonical, envelope_from, envelope_to, subject, data, state, due, created_at)
			VALUES (9, 'l', 'invitation', 1, 1, 5, 7, 'm', 'a.nn+x@mail.example', 'p@x.example', 'a@x.example', 's', x'0a', 'accepted', 1, 1)`,
	} {
		if _, err := first.Exec(statement); err != nil {
			t.Fatal(statement, err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	// The database's key is made with the database.
	if _, err := createKeyFile(filepath.Join(folder, "anteroom.key")); err != nil {
		t.Fatal(err)
	}
	d, err := Open(context.Background(), folder, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Update(t.Context(), func(tx *Tx) error {
		c, err := tx.Client(Everybody(), "ann")
		if err != nil {
			return err
		}
		if state := c.Portal.State(tx.Now()); state != PortalInvited {
			t.Errorf("Ann's invitation is %q", state)
		}
		var broken int
		if err := tx.row("SELECT count(*) FROM pragma_foreign_key_check").Scan(&broken); err != nil || broken != 0 {
			t.Errorf("%d broken references, %v", broken, err)
		}
		for _, other := range []string{"an.n@mail.example", "ann+y@mail.example"} {
			e, err := ParseEmail(other)
			if err != nil {
				return err
			}
			if shares, err := tx.SharesMailbox(e, 0); err != nil || !shares {
				t.Errorf("%s: %v %v", other, shares, err)
			}
		}
		found, total, err := tx.FindClients(Everybody(), ClientFilter{State: PortalInvited}, ByName, 0, 5)
		if err != nil || total != 1 || found[0].ID != 1 {
			t.Errorf("%d found, %v", total, err)
		}
		_, err = tx.exec("UPDATE letters SET link_id = 99 WHERE id = 9")
		if err == nil {
			t.Error("a letter may have a link that isn't there")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
