package practice

import (
	"bytes"
	"context"
	"io"
	"strconv"

	"anteroom/db"
)

// AuditFile is the audit log as CSV, made while it is read: some entries are in memory at once, however many there are.
type AuditFile struct {
	buffer bytes.Buffer
	more   func() error // writes the next entries into the buffer; io.EOF after the last
	err    error
}

// ExportAudit makes a file of the entries that a query lets through, newest first. Administrators may, with a fresh proof of who
// they are; the export is noted first, with what was asked for. ErrConfirm without one, and Invalid as for AuditLog. An error
// while the file is read ends it in the middle: then it must not be passed on as whole.
func (p *Practice) ExportAudit(ctx context.Context, by Administrator, query AuditQuery) (*AuditFile, error) {
	if !by.administers() {
		return nil, ErrNotAllowed
	}
	if err := query.days().faults().orNil(); err != nil {
		return nil, err
	}
	var f db.AuditFilter
	var o db.Organization
	err := p.db.Update(ctx, func(tx *db.Tx) (err error) {
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		if o, err = tx.Organization(); err != nil {
			return err
		}
		if f, err = query.filter(tx, by); err != nil {
			return err
		}
		e := db.AuditEntry{StaffID: by.member.ID, Act: exportedAudit, Detail: query.noted(f.Clients)}
		if query.Client != "" && len(f.Clients) == 1 {
			e.ClientID = f.Clients[0]
		}
		return tx.Audit(e)
	})
	if err != nil {
		return nil, err
	}
	file := &AuditFile{}
	rows, err := newCSVFile(&file.buffer)
	if err != nil {
		return nil, err
	}
	if err := rows.row("Entry", "At", "Who", "What", "Kind", "Client", "Sentence"); err != nil {
		return nil, err
	}
	at, place := stamps(o.TimeZone), db.AuditPlace{}
	file.more = func() error {
		return p.db.View(ctx, func(tx *db.Tx) error {
			entries, err := tx.AuditWalk(by.reach(), f, place, exportBatch)
			if err != nil {
				return err
			}
			if len(entries) == 0 {
				return io.EOF
			}
			lines, err := tellAll(tx, by.reach(), entries)
			if err != nil {
				return err
			}
			for _, l := range lines {
				if err := rows.row(strconv.FormatInt(l.ID, 10), at(l.At), l.Who.Name, string(l.Act), string(l.Kind), l.Client.Name, l.Sentence()); err != nil {
					return err
				}
			}
			place.Before = entries[len(entries)-1].ID
			return rows.end()
		})
	}
	return file, rows.end()
}

// Read makes as much of the file as is asked for.
func (f *AuditFile) Read(b []byte) (int, error) {
	for f.buffer.Len() == 0 && f.err == nil {
		f.err = f.more()
	}
	if f.buffer.Len() == 0 {
		return 0, f.err
	}
	return f.buffer.Read(b)
}
