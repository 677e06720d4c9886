package db

import (
	"bytes"
	"compress/flate"
	"io"
	"time"

	"github.com/google/uuid"
)

// Import is a file of clients that an administrator looks at before it is imported. It is kept sealed.
type Import struct {
	PublicID  string
	AuthorID  int64
	FileName  string
	Data      []byte
	CreatedAt time.Time
}

// KeepImport keeps a file in place of the author's last one, and fills in its id.
func (tx *Tx) KeepImport(i *Import) error {
	if err := tx.DropImport(i.AuthorID); err != nil {
		return err
	}
	i.PublicID, i.CreatedAt = uuid.NewString(), tx.now
	compressed, err := compress(i.Data)
	if err != nil {
		return err
	}
	sealed, keyID := importSeal.seal(tx, compressed, i.PublicID)
	_, err = tx.exec("INSERT INTO imports (author_id, public_id, file_name, sealed, key_id, created_at) VALUES (?, ?, ?, ?, ?, ?)",
		i.AuthorID, i.PublicID, i.FileName, sealed, keyID, ms(tx.now))
	return err
}

// Import finds an author's file by public id.
func (tx *Tx) Import(authorID int64, publicID string) (i Import, err error) {
	var sealed []byte
	var keyID string
	err = tx.row("SELECT public_id, author_id, file_name, sealed, key_id, created_at FROM imports WHERE author_id = ? AND public_id = ?", authorID, publicID).
		Scan(&i.PublicID, &i.AuthorID, &i.FileName, &sealed, &keyID, timeScan{&i.CreatedAt})
	if err != nil {
		return i, named(err)
	}
	compressed, err := importSeal.open(tx, sealed, keyID, i.PublicID)
	if err != nil {
		return i, err
	}
	i.Data, err = io.ReadAll(flate.NewReader(bytes.NewReader(compressed)))
	return i, err
}

func compress(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

// DropImport forgets an author's file, if there is one.
func (tx *Tx) DropImport(authorID int64) error {
	_, err := tx.exec("DELETE FROM imports WHERE author_id = ?", authorID)
	return err
}

// Identity is what tells people apart: a client's name, date of birth and address, or the address alone of somebody else
// (ClientID is 0).
type Identity struct {
	ClientID    int64
	SortKey     string
	DateOfBirth string
	Canonical   string // of the address; empty: there is none
	Mailbox     string
}

// Identities calls each for every client, and for every address that is not a client's or not yet.
func (tx *Tx) Identities(each func(Identity)) error {
	rows, err := tx.QueryContext(tx.ctx, `SELECT c.id, c.sort_key, c.date_of_birth, ifnull(e.canonical, '') FROM clients c
			LEFT JOIN email_addresses e ON e.client_id = c.id AND e.pending = 0
		UNION ALL SELECT 0, '', '', canonical FROM email_addresses WHERE client_id IS NULL OR pending = 1 AND ends_at > ?`, ms(tx.now))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var i Identity
		if err := rows.Scan(&i.ClientID, &i.SortKey, &i.DateOfBirth, &i.Canonical); err != nil {
			return err
		}
		i.Mailbox = mailbox(i.Canonical)
		each(i)
	}
	return rows.Err()
}
