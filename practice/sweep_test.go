package practice_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// growth is what keeps each table from growing without bound. A new table fails TestNothingGrowsWithoutBound until it is here: swept,
// with a way to fill it, or bounded, or kept on purpose.
var growth = map[string]struct {
	why  string
	fill string // for what is swept: many rows of it, ?1 is now; empty: not swept
	left int    // that stay after the sweep
}{
	"organization":      {why: "one row"},
	"organization_logo": {why: "one row, of a bounded picture"},
	"outbox":            {why: "one row"},
	"relay_settings":    {why: "one row"},
	"keys":              {why: "one for each time that an administrator changes the key"},
	"default_messages":  {why: "one for each kind and language"},
	"default_forms":     {why: "one for each kind and form"},
	"forms":             {why: "one for each version that the program brings"},
	"staff_members":     {why: "kept: administrators add them"},
	"permissions":       {why: "three for each staff member"},
	"clients":           {why: "kept: staff add them; deleted with all that is theirs when an administrator says so"},
	"assignments":       {why: "one for each client and staff member"},
	"tags":              {why: "kept: staff add them"},
	"client_tags":       {why: "one for each client and tag"},
	"portal_accounts":   {why: "one for each client"},
	"client_keys":       {why: "one for each client"},
	"authenticators":    {why: "one for each person"},
	"recovery_codes":    {why: "ten for each person"},
	"passkeys":          {why: "twenty for each person"},
	"audit_entries":     {why: "kept on purpose; what strangers and the refused can add is bounded by time"},
	"form_requests":     {why: "kept: staff send them; one open for each client and form"},
	"answers":           {why: "kept: at most one for each question of a form"},
	"signatures":        {why: "kept: one for each place to sign"},
	"invitations":       {why: "kept, the practice's history: staff send them; by asking, a few a day for each client"},

	"sessions": {fill: "INSERT INTO sessions (id, public_id, staff_id, created_at, seen_at, confirmed_at) SELECT CAST('x'||i AS BLOB), 'x'||i, 1, ?1, ?1, ?1 FROM n"},
	"attempts": {fill: "INSERT INTO attempts (key, at) SELECT CAST('x'||i AS BLOB), ?1 FROM n"},
	"devices": {fill: "INSERT INTO devices (id, staff_id, seen_at) SELECT CAST('x'||i AS BLOB), 1, ?1 FROM n",
		left: 1}, // the last of each person
	"imports": {fill: "INSERT INTO imports (author_id, public_id, file_name, sealed, key_id, created_at) SELECT id, 'x'||id, 'x', x'78', 'x', ?1 FROM staff_members WHERE ?1"},
	"email_addresses": {fill: "INSERT INTO email_addresses (canonical, email, client_id, pending, asked_at, ends_at) SELECT 'x'||id, 'x', id, 1, ?1, ?1 + 1000 FROM clients",
		left: -1}, // those that are in use
	"client_touches": {fill: "INSERT INTO client_touches (client_id) SELECT i FROM n WHERE ?1", left: 1},
	"drafts":         {fill: "INSERT INTO drafts (public_id, author_id, client_id, created_at, touched_at) SELECT 'x'||s.id||'-'||c.id, s.id, c.id, ?1, ?1 FROM staff_members s, clients c"},
	"draft_clients":  {fill: "INSERT INTO draft_clients (draft_id, client_id) SELECT d.id, c.id FROM drafts d, clients c WHERE ?1"},
	"draft_forms":    {fill: "INSERT INTO draft_forms (draft_id, form_key) SELECT id, 'x' FROM drafts WHERE ?1"},
	"links":          {fill: "INSERT INTO links (purpose, staff_id, token_hash, nonce, key_id, created_at, expires_at) SELECT 'new password', 1, CAST('x'||i AS BLOB), x'78', 'x', ?1, ?1 + 1000 FROM n"},
	"letters": {fill: `INSERT INTO letters (public_id, kind, staff_id, link_id, message_id, canonical, envelope_from, envelope_to, subject, state, due, created_at, settled_at)
		SELECT 'x'||id, 'new password', 1, id, 'x'||id, 'x', 'x', 'x', 'x', iif(id % 2, 'accepted', 'needs attention'), ?1, ?1, ?1 FROM links WHERE key_id = 'x'`},
	"letter_mails": {fill: "INSERT INTO letter_mails (letter_id, data) SELECT id, x'78' FROM letters WHERE message_id GLOB 'x*' AND ?1"},
}

// filled is the order in which tables are filled that others refer to.
var filled = []string{"sessions", "attempts", "devices", "imports", "email_addresses", "client_touches", "drafts", "draft_clients", "draft_forms", "links", "letters", "letter_mails"}

func TestNothingGrowsWithoutBound(t *testing.T) {
	c := cast.New(t)
	count := func(table string) (n int) {
		if err := c.DB.View(t.Context(), func(tx *db.Tx) error { return tx.QueryRow("SELECT count(*) FROM " + table).Scan(&n) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	var tables []string
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		rows, err := tx.Query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'goose_db_version'")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			tables = append(tables, name)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	for _, name := range tables {
		if g, ok := growth[name]; !ok || (g.why == "") == (g.fill == "") {
			t.Errorf("nobody says what keeps %s from growing without bound", name)
		}
	}
	if len(growth) != len(tables) {
		t.Errorf("%d tables, and %d that somebody tells of", len(tables), len(growth))
	}
	sweep := func() {
		t.Helper()
		if _, err := c.Practice.Clients(t.Context(), c.Olga.Staff, practice.ClientQuery{}, 1); err != nil { // memory has read what was touched
			t.Fatal(err)
		}
		if err := c.Practice.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sweep()
	before, full := map[string]int{}, map[string]int{}
	for _, name := range filled {
		before[name] = count(name)
		if err := c.DB.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.ExecContext(t.Context(), "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1234) "+growth[name].fill, tx.Now().UnixMilli())
			return err
		}); err != nil {
			t.Fatal(name, err)
		}
		if full[name] = count(name); full[name] <= before[name] {
			t.Errorf("nothing fills %s", name)
		}
	}
	sweep()
	for _, name := range filled {
		if n := count(name); n != full[name] && name != "client_touches" {
			t.Errorf("%s: of %d rows, %d are left at once", name, full[name], n)
		}
	}
	c.Clock.Move(91 * 24 * time.Hour)
	sweep()
	for _, name := range filled {
		late := slices.Contains([]string{"links", "letters", "letter_mails", "devices"}, name)
		if n := count(name); (n == full[name]) != late && name != "client_touches" {
			t.Errorf("%s: of %d rows, %d are left after three months", name, full[name], n)
		}
	}
	c.Clock.Move(276 * 24 * time.Hour)
	sweep()
	for name, g := range growth {
		if g.fill == "" {
			continue
		}
		left := g.left
		if left < 0 {
			left = before[name]
		}
		if n := count(name); n > left {
			t.Errorf("%s: %d rows are left after a year, %d should be", name, n, left)
		}
	}
}

// What a stranger, or somebody who is refused again and again, can add to the audit log is bounded.
func TestTheAuditLogIsNotFilledByStrangers(t *testing.T) {
	c := cast.New(t)
	entries := func() (n int) {
		if err := c.DB.View(t.Context(), func(tx *db.Tx) error { return tx.QueryRow("SELECT count(*) FROM audit_entries").Scan(&n) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	tom, err := c.Practice.Authenticate(t.Context(), c.Sessions["Tom"], false)
	if err != nil {
		t.Fatal(err)
	}
	for what, try := range map[string]func(i int){
		"asking for passwords": func(i int) {
			if err := c.Practice.ForgotPassword(t.Context(), fmt.Sprintf("nobody%d@mail.example", i), fmt.Sprint("network ", i)); err != nil {
				t.Fatal(err)
			}
		},
		"being refused": func(int) {
			if err := c.Practice.NoteRefusal(t.Context(), tom, "GET /clients/:id"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		before := entries()
		for i := range 500 {
			try(i)
		}
		if n := entries() - before; n != 201 {
			t.Errorf("%s 500 times made %d entries", what, n)
		}
		c.Clock.Move(2 * time.Hour)
		before = entries()
		if try(1); entries() != before+1 {
			t.Errorf("%s: nothing is written down later", what)
		}
	}
}

// Whoever knows an address can't fill its mailbox: three letters an hour until it was twelve in a day, then one once the last link is over.
func TestFewLinksADay(t *testing.T) {
	c := cast.New(t)
	letters := func() (n int) {
		if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow("SELECT count(*) FROM letters WHERE kind = 'new password'").Scan(&n)
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for hour := range 20 {
		for i := range 5 {
			if err := c.Practice.ForgotPassword(t.Context(), "mia@mail.example", fmt.Sprint("network ", hour, i)); err != nil {
				t.Fatal(err)
			}
		}
		c.Clock.Move(time.Hour + time.Second)
	}
	if n := letters(); n != 4*3+16 {
		t.Errorf("%d letters in 20 hours", n)
	}
	c.Clock.Move(24 * time.Hour)
	if err := c.Practice.ForgotPassword(t.Context(), "mia@mail.example", "another"); err != nil {
		t.Fatal(err)
	}
	if n := letters(); n != 29 {
		t.Errorf("%d letters a day later", n)
	}
}
