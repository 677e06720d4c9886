package practice

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"time"

	"anteroom/db"
)

// SendingQuery says which sendings a list shows, as an address writes it. The zero value is all.
type SendingQuery struct {
	Words    string
	Staff    string // public id of whom the clients are assigned to; NobodyAssigned: of nobody
	From, To string // the first and the last day, YYYY-MM-DD, in the practice's time zone
	State    db.SendingState
	Troubled bool // mail to its address doesn't reach the client
}

// filter is the query in the records' terms. Whom it names and who isn't there, nobody is assigned to; what is no day is
// none asked for.
func (q SendingQuery) filter(tx *db.Tx) (f db.SendingFilter, err error) {
	f = db.SendingFilter{Query: q.Words[:min(len(q.Words), maxQuery)], State: q.State, Troubled: q.Troubled}
	o, err := tx.Organization()
	if err != nil {
		return f, err
	}
	f.From = dayIn(o.TimeZone, q.From, 0)
	f.Until = dayIn(o.TimeZone, q.To, 1)
	switch q.Staff {
	case "":
	case NobodyAssigned:
		f.Unassigned = true
	default:
		const nobody = -1
		member, err := tx.Staff(q.Staff)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return f, err
		}
		f.StaffID = cmp.Or(member.ID, nobody)
	}
	return f, nil
}

func (q SendingQuery) faults() Invalid {
	wrong := Invalid{}
	for field, day := range map[string]string{"from": q.From, "to": q.To} {
		if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
			wrong[field] = "Enter a day as year, month and day, such as 2026-11-02."
		}
	}
	if len(wrong) == 0 && q.From != "" && q.To != "" && q.To < q.From {
		wrong["to"] = "The last day is before the first."
	}
	return wrong
}

// dayIn is the midnight in a time zone with which a day begins, or one some days later; the zero time when it is none.
func dayIn(zone *time.Location, day string, later int) time.Time {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return time.Time{}
	}
	return time.Date(at.Year(), at.Month(), at.Day()+later, 0, 0, 0, 0, zone)
}

// SendingRow is a sending as the list shows it.
type SendingRow struct {
	db.Sending
	State   db.SendingState
	Client  db.Client
	SentBy  string  // empty: the client asked for it
	Trouble Trouble // why it couldn't be sent
}

// Why says why the letter didn't arrive, or didn't leave; empty: nothing is known to be wrong.
func (r SendingRow) Why() string {
	if r.State == db.SendingCancelled {
		return r.Reply
	}
	return r.Trouble.Why
}

// Again tells that something can be sent again to the client because of what came of it.
func (r SendingRow) Again() bool {
	switch r.State {
	case db.SendingQueued, db.SendingCouldntSend, db.SendingInvited, db.SendingOpened, db.SendingExpired, db.SendingOutstanding:
		return true
	}
	return r.State == db.SendingJoined && r.FormsDone < r.Forms
}

func newSendingRow(s db.Sending, c db.Client, sentBy string, zone *time.Location, now time.Time) SendingRow {
	row := SendingRow{Sending: s, State: s.State(now), Client: c, SentBy: sentBy}
	if row.State == db.SendingCouldntSend {
		row.Trouble = sendingTrouble(s, c, zone)
	}
	return row
}

// SendingPage is one page of the list of sendings, and what there is beside the state that it asks for.
type SendingPage struct {
	Rows   []SendingRow
	Total  int
	Number int // from 1
	Counts db.SendingCounts
}

// Sendings finds a page of all that was sent to invite clients or to tell them of forms, newest first; administrators may
// ask. A page after the last is the last. Invalid for "from" or "to" when that is no day.
func (p *Practice) Sendings(ctx context.Context, by Administrator, query SendingQuery, page int) (found SendingPage, err error) {
	if !by.administers() {
		return found, ErrNotAllowed
	}
	found.Number = max(page, 1)
	if err := query.faults().orNil(); err != nil {
		return found, err
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		f, err := query.filter(tx)
		if err != nil {
			return err
		}
		var sendings []db.Sending
		if sendings, found.Total, found.Counts, err = tx.FindSendings(by.reach(), f, (found.Number-1)*PageSize, PageSize); err != nil {
			return err
		}
		if last := max((found.Total+PageSize-1)/PageSize, 1); found.Number > last {
			found.Number = last
			if sendings, _, _, err = tx.FindSendings(by.reach(), f, (last-1)*PageSize, PageSize); err != nil {
				return err
			}
		}
		found.Rows, err = sendingRows(tx, by, sendings)
		return err
	})
	return found, err
}

func sendingRows(tx *db.Tx, by Administrator, sendings []db.Sending) ([]SendingRow, error) {
	ids := make([]int64, len(sendings))
	for i, s := range sendings {
		ids[i] = s.ClientID
	}
	clients, err := tx.ClientsByID(by.reach(), ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]db.Client, len(clients))
	for _, c := range clients {
		byID[c.ID] = c
	}
	names, err := tx.StaffNames()
	if err != nil {
		return nil, err
	}
	o, err := tx.Organization()
	if err != nil {
		return nil, err
	}
	rows := make([]SendingRow, len(sendings))
	for i, s := range sendings {
		rows[i] = newSendingRow(s, byID[s.ClientID], names[s.SentBy], o.TimeZone, tx.Now())
	}
	return rows, nil
}

// ExportSendings writes what a list of sendings lets through as CSV, newest first. Administrators may; the export is noted first.
// ErrConfirm, unless they proved lately who they are.
func (p *Practice) ExportSendings(ctx context.Context, by Administrator, w io.Writer, query SendingQuery) error {
	if err := p.noteExport(ctx, by, "exported the list of invitations", map[string]bool{"not all of it": query != SendingQuery{}}); err != nil {
		return err
	}
	return p.db.View(ctx, func(tx *db.Tx) error {
		f, err := query.filter(tx)
		if err != nil {
			return err
		}
		o, err := tx.Organization()
		if err != nil {
			return err
		}
		file, err := newCSVFile(w)
		if err != nil {
			return err
		}
		if err := file.row("First name", "Last name", "Email", "Kind", "Sent", "Sent by", "State", "Why", "Expires", "Link opened (possibly by a mail scanner)", "Account made",
			"Forms", "Forms completed", "Last form completed", "Reminders", "Last reminder"); err != nil {
			return err
		}
		ids, err := tx.SendingIDs(by.reach(), f)
		if err != nil {
			return err
		}
		at := stamps(o.TimeZone)
		for some := range slices.Chunk(ids, exportBatch) {
			sendings, err := tx.SendingsByID(by.reach(), some)
			if err != nil {
				return err
			}
			rows, err := sendingRows(tx, by, sendings)
			if err != nil {
				return err
			}
			for _, r := range rows {
				if err := file.row(r.Client.FirstName, r.Client.LastName, r.To.String(), string(r.Kind), at(r.SentAt), cmp.Or(r.SentBy, "the client"), string(r.State), r.Why(),
					at(r.ExpiresAt), at(r.OpenedAt), at(r.UsedAt), strconv.Itoa(r.Forms), strconv.Itoa(r.FormsDone), at(r.FinishedAt), strconv.Itoa(r.Reminders), at(r.RemindedAt)); err != nil {
					return err
				}
			}
		}
		return file.end()
	})
}

// SendingsInTrouble counts the sendings that couldn't be sent and that nothing took the place of; administrators may ask.
func (p *Practice) SendingsInTrouble(ctx context.Context, by Administrator) (n int, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		_, n, _, err = tx.FindSendings(by.reach(), db.SendingFilter{State: db.SendingCouldntSend}, 0, 0)
		return err
	})
	return n, err
}
