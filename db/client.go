package db

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/cases"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// Client is somebody whom the practice treats.
type Client struct {
	ID            int64
	PublicID      string
	FirstName     string // legal
	LastName      string
	PreferredName string
	DateOfBirth   string // YYYY-MM-DD, or empty
	Phone         string
	Email         Email // zero: none on file
	Pronouns      string
	Language      string    // a BCP 47 tag; empty: nobody said
	Guardian      string    // a minor's
	NoEmailAt     time.Time // somebody said that we may not email them; zero: we may
	ArchivedAt    time.Time
	CreatedAt     time.Time
	Portal        Portal
}

// Name is what the practice calls the client: the preferred name, or else the first.
func (c Client) Name() string {
	if c.PreferredName != "" {
		return c.PreferredName
	}
	return c.FirstName
}

// ListName is the client's name as lists order it.
func (c Client) ListName() string { return c.LastName + ", " + c.FirstName }

const clientColumns = `c.id, c.public_id, c.first_name, c.last_name, c.preferred_name, c.date_of_birth, c.phone,
	e.email, e.canonical, c.pronouns, c.language, c.guardian, c.no_email_at, c.archived_at, c.created_at, ` + portalColumns + `
	FROM clients c LEFT JOIN email_addresses e ON e.client_id = c.id AND e.pending = 0 ` + portalJoins

func readClient(s scanner) (c Client, err error) {
	p := &c.Portal
	err = s.Scan(&c.ID, &c.PublicID, &c.FirstName, &c.LastName, &c.PreferredName, &c.DateOfBirth, &c.Phone,
		textScan{&c.Email.typed}, textScan{&c.Email.canonical},
		&c.Pronouns, &c.Language, &c.Guardian, timeScan{&c.NoEmailAt}, timeScan{&c.ArchivedAt}, timeScan{&c.CreatedAt},
		timeScan{&p.OffAt}, timeScan{&p.AccountAt}, textScan{&p.Invitation}, timeScan{&p.SentAt}, timeScan{&p.ExpiresAt},
		timeScan{&p.UsedAt}, timeScan{&p.EndedAt}, textScan{(*string)(&p.Letter)}, textScan{&p.Reply},
		timeScan{&p.BouncedAt}, timeScan{&p.UnwantedAt})
	p.hasEmail, p.ArchivedAt = !c.Email.IsZero(), c.ArchivedAt
	return c, err
}

// Client finds a client within reach by public id.
func (tx *Tx) Client(reach Reach, publicID string) (Client, error) {
	return tx.clientWhere(reach, "c.public_id = ?", publicID)
}

// ClientByID finds a client within reach by the id that other records hold.
func (tx *Tx) ClientByID(reach Reach, id int64) (Client, error) {
	return tx.clientWhere(reach, "c.id = ?", id)
}

// ClientByEmail finds the client within reach who has this address.
func (tx *Tx) ClientByEmail(reach Reach, e Email) (Client, error) {
	return tx.clientWhere(reach, "e.canonical = ?", e.canonical)
}

func (tx *Tx) clientWhere(reach Reach, where string, args ...any) (Client, error) {
	c, err := readClient(tx.row("SELECT "+clientColumns+" WHERE "+where+" AND "+reach.holds("c.id"), args...))
	return c, named(err)
}

// ClientsByID reads the clients within reach that have these ids, in their order; ids out of reach are left out.
func (tx *Tx) ClientsByID(reach Reach, ids []int64) ([]Client, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	in := strings.TrimSuffix(strings.Repeat("?,", len(ids)), ",")
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	found, err := list(tx, readClient, "SELECT "+clientColumns+" WHERE c.id IN ("+in+") AND "+reach.holds("c.id"), args...)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]Client, len(found))
	for _, c := range found {
		byID[c.ID] = c
	}
	ordered := found[:0]
	for _, id := range ids {
		if c, ok := byID[id]; ok {
			ordered = append(ordered, c)
		}
	}
	return ordered, nil
}

// ClientIDsOf finds the ids that other records hold of the clients within reach who have these public ids.
func (tx *Tx) ClientIDsOf(reach Reach, publicIDs []string) ([]int64, error) {
	ids, err := json.Marshal(publicIDs)
	if err != nil {
		return nil, err
	}
	return column[int64](tx, "SELECT id FROM clients WHERE public_id IN (SELECT value FROM json_each(?)) AND "+reach.holds("id"), string(ids))
}

// AddClient adds c with its address, and fills in its ids. ErrEmailTaken when somebody has the address.
func (tx *Tx) AddClient(c *Client) (err error) {
	c.PublicID, c.CreatedAt = uuid.NewString(), tx.now
	// The id of a client whose data was deleted is never given again: the audit log knows them by it.
	c.ID, err = tx.insert(`INSERT INTO clients (id, public_id, first_name, last_name, preferred_name, date_of_birth, phone, pronouns, language, guardian,
			no_email_at, sort_key, search, created_at)
		VALUES (1 + max(ifnull((SELECT max(id) FROM clients), 0), ifnull((SELECT max(client_id) FROM audit_entries WHERE client_id IS NOT NULL), 0)),
			?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.PublicID, c.FirstName, c.LastName, c.PreferredName, c.DateOfBirth, c.Phone, c.Pronouns, c.Language, c.Guardian,
		ms(c.NoEmailAt), c.SortKey(), searchText(*c), ms(tx.now))
	if err != nil {
		return err
	}
	return tx.addClientEmail(c.ID, c.Email)
}

// ChangeClient keeps what is on file about c. ErrEmailTaken when somebody else has the address.
func (tx *Tx) ChangeClient(c Client) error {
	_, err := tx.exec(`UPDATE clients SET first_name = ?, last_name = ?, preferred_name = ?, date_of_birth = ?, phone = ?, pronouns = ?, language = ?,
			guardian = ?, no_email_at = ?, sort_key = ?, search = ?
		WHERE id = ?`, c.FirstName, c.LastName, c.PreferredName, c.DateOfBirth, c.Phone, c.Pronouns, c.Language,
		c.Guardian, ms(c.NoEmailAt), c.SortKey(), searchText(c), c.ID)
	if err != nil {
		return err
	}
	return tx.setClientEmail(c.ID, c.Email)
}

// ClientNotes opens what the office noted about a client within reach.
func (tx *Tx) ClientNotes(reach Reach, clientID int64) (string, error) {
	var sealed []byte
	if err := tx.row("SELECT notes FROM clients WHERE id = ? AND "+reach.holds("id"), clientID).Scan(&sealed); err != nil || sealed == nil {
		return "", named(err)
	}
	aead, err := tx.clientKey(clientID)
	if err != nil {
		return "", err
	}
	notes, err := open(aead, sealed, "clients", "notes", fmt.Sprint(clientID))
	return string(notes), err
}

// SetClientNotes seals and keeps what the office notes about a client.
func (tx *Tx) SetClientNotes(clientID int64, notes string) error {
	if notes == "" {
		_, err := tx.exec("UPDATE clients SET notes = NULL WHERE id = ? AND notes IS NOT NULL", clientID)
		return err
	}
	aead, err := tx.clientKey(clientID)
	if err != nil {
		return err
	}
	_, err = tx.exec("UPDATE clients SET notes = ? WHERE id = ?", seal(aead, []byte(notes), "clients", "notes", fmt.Sprint(clientID)), clientID)
	return err
}

// setClientEmail puts an address on file. Another spelling of the one that is there keeps what is known of it.
func (tx *Tx) setClientEmail(clientID int64, e Email) error {
	same, err := tx.exec("UPDATE email_addresses SET email = ?, mailbox = ? WHERE client_id = ? AND pending = 0 AND canonical = ?", e.typed, e.Mailbox(), clientID, e.canonical)
	if err != nil || same == 1 {
		return err
	}
	if _, err := tx.exec("DELETE FROM email_addresses WHERE client_id = ? AND pending = 0", clientID); err != nil {
		return err
	}
	return tx.addClientEmail(clientID, e)
}

func (tx *Tx) addClientEmail(clientID int64, e Email) error {
	if e.IsZero() {
		return nil
	}
	return tx.addEmail(e, clientID, 0, nil)
}

// SharesMailbox tells whether another client's address may reach the same mailbox as e.
func (tx *Tx) SharesMailbox(e Email, clientID int64) (shares bool, err error) {
	if e.IsZero() {
		return false, nil
	}
	err = tx.row("SELECT EXISTS (SELECT 1 FROM email_addresses WHERE mailbox = ? AND canonical <> ? AND client_id IS NOT NULL AND client_id <> ?)",
		e.Mailbox(), e.canonical, clientID).Scan(&shares)
	return shares, err
}

// SortKey is what lists are ordered by: the last name, then the first, spelled alike where they would be searched alike.
func (c Client) SortKey() string { return SearchFold(c.LastName) + "\x1f" + SearchFold(c.FirstName) }

func searchText(c Client) string {
	return SearchFold(c.FirstName + " " + c.LastName + " " + c.PreferredName + " " + c.Email.String())
}

// folders are made once and used again: they are costly, and none may be used twice at a time.
var folders = sync.Pool{New: func() any {
	return transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn)), runes.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}), cases.Fold(), norm.NFC)
}}

// SearchFold makes texts that people would search for alike equal: no marks, no case, no line breaks.
func SearchFold(s string) string {
	for i := 0; ; i++ {
		if i == len(s) {
			return strings.ToLower(s) // plain ASCII
		}
		if s[i] >= 0x80 || s[i] < ' ' {
			break
		}
	}
	t := folders.Get().(transform.Transformer)
	defer folders.Put(t)
	folded, _, err := transform.String(t, s)
	if err != nil {
		return strings.ToLower(s)
	}
	return folded
}

// TurnPortal turns a client's portal access off or on.
func (tx *Tx) TurnPortal(clientID int64, on bool) error {
	var off time.Time
	if !on {
		off = tx.now
	}
	_, err := tx.exec("UPDATE clients SET portal_off_at = ? WHERE id = ?", ms(off), clientID)
	return err
}

// searchWords parts a query, which may be a name as lists write it: last name, comma, first name.
func searchWords(query string) []string {
	return strings.Fields(strings.ReplaceAll(SearchFold(query), ",", " "))
}
