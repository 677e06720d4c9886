package practice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"anteroom/db"
	"anteroom/forms"
)

// exportBatch is how many clients or completed forms are in memory at once while they are exported.
const exportBatch = 500

// ExportCounts are how many rows each export would have.
type ExportCounts struct {
	Clients      int
	Archived     int
	FormRequests int
	Forms        []ExportForm
}

// ExportForm is a form that somebody completed.
type ExportForm struct {
	Key       string
	Title     string
	Completed int
}

// ExportCounts tells what there is to export; administrators may ask.
func (p *Practice) ExportCounts(ctx context.Context, by Administrator) (n ExportCounts, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		if _, n.Clients, err = tx.FindClients(by.reach(), db.ClientFilter{}, db.ByName, 0, 0); err != nil {
			return err
		}
		if _, n.Archived, err = tx.FindClients(by.reach(), db.ClientFilter{Archived: true}, db.ByName, 0, 0); err != nil {
			return err
		}
		if n.FormRequests, err = tx.CountFormRequests(by.reach()); err != nil {
			return err
		}
		completed, err := tx.CountCompletedForms(by.reads())
		if err != nil {
			return err
		}
		all, err := tx.Forms()
		for _, f := range all {
			if completed[f.Key] > 0 {
				n.Forms = append(n.Forms, ExportForm{f.Key, f.Title, completed[f.Key]})
			}
		}
		return err
	})
	return n, err
}

// noteExport notes an export, and what goes with it, before a byte of it is written. ErrConfirm, unless the administrator proved lately who they are.
func (p *Practice) noteExport(ctx context.Context, by Administrator, act db.Act, with map[string]bool) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	return p.db.Update(ctx, func(tx *db.Tx) error {
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		var more []string
		for _, what := range slices.Sorted(maps.Keys(with)) {
			if with[what] {
				more = append(more, what)
			}
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act, Detail: strings.Join(more, ", ")})
	})
}

// exportClients calls each for every client, a batch at a time, in list order: those who are archived after the others.
func exportClients(tx *db.Tx, by Administrator, archived bool, each func([]db.Client) error) error {
	for _, away := range []bool{false, true} {
		if away && !archived {
			break
		}
		ids, err := tx.ClientIDs(by.reach(), db.ClientFilter{Archived: away})
		if err != nil {
			return err
		}
		for some := range slices.Chunk(ids, exportBatch) {
			clients, err := tx.ClientsByID(by.reach(), some)
			if err != nil {
				return err
			}
			if err := each(clients); err != nil {
				return err
			}
		}
	}
	return nil
}

func idsOf(clients []db.Client) []int64 {
	ids := make([]int64, len(clients))
	for i, c := range clients {
		ids[i] = c.ID
	}
	return ids
}

// ExportClients writes what is on file about every client as CSV, with headings that the import knows: archived clients and
// the office's notes only if asked for. Administrators may; the export is noted first. ErrConfirm, unless they proved lately who they
// are.
func (p *Practice) ExportClients(ctx context.Context, by Administrator, w io.Writer, archived, notes bool) error {
	if err := p.noteExport(ctx, by, "exported the clients", map[string]bool{"archived ones too": archived, "notes too": notes}); err != nil {
		return err
	}
	return p.db.View(ctx, func(tx *db.Tx) error {
		o, err := tx.Organization()
		if err != nil {
			return err
		}
		file, err := newCSVFile(w)
		if err != nil {
			return err
		}
		header := []string{"First name", "Last name", "Preferred name", "Pronouns", "Date of birth", "Guardian", "Phone", "Email", "May be emailed", "Language",
			"Tags", "Therapist", "Client portal", "Account since", "Last invited", "Not emailed since", "Added", "Archived"}
		if notes {
			header = append(header, "Notes")
		}
		if err := file.row(header...); err != nil {
			return err
		}
		at := stamps(o.TimeZone)
		err = exportClients(tx, by, archived, func(clients []db.Client) error {
			ids := idsOf(clients)
			therapists, err := tx.TherapistsOf(by.reach(), ids)
			if err != nil {
				return err
			}
			tags, err := tx.TagsOf(by.reach(), ids)
			if err != nil {
				return err
			}
			for _, c := range clients {
				mayEmail := "yes"
				if !c.NoEmailAt.IsZero() {
					mayEmail = "no"
				}
				row := []string{c.FirstName, c.LastName, c.PreferredName, c.Pronouns, c.DateOfBirth, c.Guardian, c.Phone, c.Email.String(), mayEmail, c.Language,
					strings.Join(tags[c.ID], ", "), strings.Join(therapists[c.ID], "; "), string(c.Portal.State(tx.Now())), at(c.Portal.AccountAt), at(c.Portal.SentAt),
					at(c.NoEmailAt), at(c.CreatedAt), at(c.ArchivedAt)}
				if notes {
					text, err := tx.ClientNotes(by.reach(), c.ID)
					if err != nil {
						return err
					}
					row = append(row, text)
				}
				if err := file.row(row...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return file.end()
	})
}

// stamps writes times as a spreadsheet and a program can read them, in the practice's time zone (ISO 8601).
func stamps(zone *time.Location) func(time.Time) string {
	return func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(zone).Format("2006-01-02T15:04:05-07:00")
	}
}

// ExportStates writes every client's portal state and each form that was sent as CSV: one row for each form, or one for a
// client who was sent none. Administrators may; the export is noted first. ErrConfirm, unless they proved lately who they are.
func (p *Practice) ExportStates(ctx context.Context, by Administrator, w io.Writer, archived bool) error {
	if err := p.noteExport(ctx, by, "exported portal states and forms", map[string]bool{"archived clients too": archived}); err != nil {
		return err
	}
	return p.db.View(ctx, func(tx *db.Tx) error {
		o, err := tx.Organization()
		if err != nil {
			return err
		}
		file, err := newCSVFile(w)
		if err != nil {
			return err
		}
		if err := file.row("First name", "Last name", "Email", "Client portal", "Invited", "Invitation expires", "Account since", "Letter", "Why", "Form", "Version", "Form state", "Sent", "Begun", "Completed", "Revoked"); err != nil {
			return err
		}
		at := stamps(o.TimeZone)
		err = exportClients(tx, by, archived, func(clients []db.Client) error {
			asked, err := tx.FormRequestsOf(by.reach(), idsOf(clients))
			if err != nil {
				return err
			}
			for _, c := range clients {
				client := []string{c.FirstName, c.LastName, c.Email.String(), string(c.Portal.State(tx.Now())), at(c.Portal.SentAt), at(c.Portal.ExpiresAt), at(c.Portal.AccountAt),
					string(c.Portal.Letter), PortalTrouble(c.Portal, o.TimeZone).Why}
				if len(asked[c.ID]) == 0 {
					if err := file.row(append(client, make([]string, 7)...)...); err != nil {
						return err
					}
				}
				for _, r := range asked[c.ID] {
					if err := file.row(append(slices.Clone(client), r.Form.Title, r.Form.Version, string(r.State()), at(r.SentAt), at(r.StartedAt), at(r.CompletedAt), at(r.RevokedAt))...); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return file.end()
	})
}

// exportColumn is one question of a form, whichever version asks it.
type exportColumn struct {
	linkID    string
	heading   string
	signature bool
}

// exportColumns are the questions of a form's versions, the newest first; a question that several ask is one column.
func (p *Practice) exportColumns(versions []db.Form) (columns []exportColumn, err error) {
	for _, version := range versions {
		paper, err := p.paper(version)
		if err != nil {
			return nil, err
		}
		var add func([]forms.Field)
		add = func(fields []forms.Field) {
			for _, f := range fields {
				known := slices.ContainsFunc(columns, func(c exportColumn) bool { return c.linkID == f.LinkID })
				if f.Kind != forms.Group && f.Kind != forms.Display && !known {
					columns = append(columns, exportColumn{f.LinkID, strings.TrimSpace(f.Prefix + " " + f.Text), f.Kind == forms.Signature})
				}
				add(f.Children)
			}
		}
		add(paper.Fields(nil, nil))
	}
	return columns, nil
}

// ExportForms writes the completed forms of one kind as CSV, with a column for each question and the score, if there is one.
// Administrators may; the export is noted, also where nobody completed the form. It opens health information, and each client's
// record says so: after an error, what was written must not be passed on. ErrConfirm, unless the administrator proved lately who
// they are, and ErrNotFound for a form that isn't there.
func (p *Practice) ExportForms(ctx context.Context, by Administrator, w io.Writer, formKey string) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	return p.db.Update(ctx, func(tx *db.Tx) error {
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		versions, err := tx.FormVersions(formKey)
		if err != nil {
			return err
		}
		if len(versions) == 0 {
			return ErrNotFound
		}
		if err := tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "exported the completed forms", Detail: versions[0].Title}); err != nil {
			return err
		}
		columns, err := p.exportColumns(versions)
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
		header := []string{"First name", "Last name", "Date of birth", "Form", "Version", "Sent", "Completed", "Score", "Result", "Safety concern"}
		for _, c := range columns {
			header = append(header, c.heading)
			if c.signature {
				header = append(header, c.heading+" (signed at)")
			}
		}
		if err := file.row(header...); err != nil {
			return err
		}
		at := stamps(o.TimeZone)
		err = eachCompleted(tx, by, formKey, func(request db.FormRequest) error {
			row, err := p.exportRow(tx, by, request, columns, at)
			if err != nil {
				return err
			}
			return errors.Join(file.row(row...), tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: downloaded, ClientID: request.ClientID, Detail: request.Form.Title}))
		})
		if err != nil {
			return err
		}
		return file.end()
	})
}

// eachCompleted calls each for every completed request for a form, a batch at a time.
func eachCompleted(tx *db.Tx, by Administrator, formKey string, each func(db.FormRequest) error) error {
	for after := int64(0); ; {
		some, err := tx.CompletedForms(by.reads(), formKey, after, exportBatch)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, r := range some {
			if err := each(r); err != nil {
				return err
			}
		}
		after = some[len(some)-1].ID
	}
}

func (p *Practice) exportRow(tx *db.Tx, by Administrator, request db.FormRequest, columns []exportColumn, at func(time.Time) string) ([]string, error) {
	r, err := p.open(tx, request)
	if err != nil {
		return nil, err
	}
	c, err := tx.ClientByID(by.reads(), r.ClientID)
	if err != nil {
		return nil, err
	}
	result, err := tx.FormResult(request)
	if err != nil {
		return nil, err
	}
	signatures, err := tx.Signatures(request)
	if err != nil {
		return nil, err
	}
	score, concern := "", "no"
	if result.Score != nil {
		score = strconv.Itoa(*result.Score)
	}
	if result.SafetyConcern {
		concern = "yes"
	}
	answers := map[string]string{}
	var read func([]forms.Field)
	read = func(fields []forms.Field) {
		for _, f := range fields {
			answers[f.LinkID] = strings.Join(f.Answer, "; ")
			read(f.Children)
		}
	}
	read(r.Paper.Reading(r.Answers))
	row := []string{c.FirstName, c.LastName, c.DateOfBirth, r.Form.Title, r.Form.Version, at(r.SentAt), at(r.CompletedAt), score, result.Band, concern}
	for _, column := range columns {
		if !column.signature {
			row = append(row, answers[column.linkID])
			continue
		}
		s := signatures[column.linkID]
		row = append(row, s.Name, at(s.SignedAt))
	}
	return row, nil
}

// ExportName is a file's name: what it holds, and the day in the practice's time zone.
func (p *Practice) ExportName(ctx context.Context, what string) (string, error) {
	o, err := p.Organization(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s-%s.csv", what, p.Now().In(o.TimeZone).Format(time.DateOnly)), nil
}
