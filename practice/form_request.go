package practice

import (
	"context"

	"anteroom/db"
	"anteroom/forms"
)

// CompletedForm is a form that a client submitted, for staff to read.
type CompletedForm struct {
	FormRequest
	Client   db.Client
	Result   db.FormResult
	Reviewer string // who looked at its safety concern; empty: nobody yet
}

// Signature is a signature, and whether form and answers are what was signed.
type Signature struct {
	db.Signature
	Intact bool
}

// ReadForm opens a completed form for staff who may read the client's, and notes so in the audit log. It returns
// ErrNotFound for a form out of reach and for one that is not completed.
func (p *Practice) ReadForm(ctx context.Context, by Staff, id string) (f CompletedForm, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if f, err = p.completedForm(tx, by, id); err != nil {
			return err
		}
		return tx.Audit(f.act("read the completed form", by))
	})
	return f, err
}

// downloaded is the act of taking a completed form out as a file.
const downloaded db.Act = "downloaded the completed form"

// ExportForm is ReadForm as a FHIR R4 QuestionnaireResponse.
func (p *Practice) ExportForm(ctx context.Context, by Staff, id string) (f CompletedForm, response []byte, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if f, err = p.completedForm(tx, by, id); err != nil {
			return err
		}
		return tx.Audit(f.act(downloaded, by))
	})
	if err != nil {
		return f, nil, err
	}
	subject := forms.Reference{Reference: "Patient/" + f.Client.PublicID, Display: f.Client.FirstName + " " + f.Client.LastName}
	return f, f.Paper.Response(f.Answers, f.CompletedAt, subject), nil
}

// ReviewForm notes that a staff member who may read the form has looked at its safety concern. It does nothing the second
// time, and returns ErrNotFound as ReadForm does, and for a form that raises no concern.
func (p *Practice) ReviewForm(ctx context.Context, by Staff, id string) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		f, err := p.completedForm(tx, by, id)
		if err != nil {
			return err
		}
		if !f.Result.SafetyConcern {
			return ErrNotFound
		}
		if !f.ReviewedAt.IsZero() {
			return nil
		}
		if err := tx.ReviewFormRequest(f.ID, by.member.ID); err != nil {
			return err
		}
		return tx.Audit(f.act(reviewed, by))
	})
}

func (f CompletedForm) act(act db.Act, by Staff) db.AuditEntry {
	return db.AuditEntry{StaffID: by.member.ID, Act: act, ClientID: f.ClientID, Detail: f.Form.Title}
}

func (p *Practice) completedForm(tx *db.Tx, by Staff, id string) (f CompletedForm, err error) {
	request, err := tx.FormRequest(by.reads(), id)
	if err != nil {
		return f, err
	}
	if request.State() != db.FormCompleted {
		return f, ErrNotFound
	}
	if f.FormRequest, err = p.open(tx, request); err != nil {
		return f, err
	}
	if f.Client, err = tx.ClientByID(by.reads(), f.ClientID); err != nil {
		return f, err
	}
	if f.Result, err = tx.FormResult(request); err != nil {
		return f, err
	}
	if f.Signatures, err = f.signatures(tx); err != nil || f.ReviewedBy == 0 {
		return f, err
	}
	reviewer, err := tx.StaffByID(f.ReviewedBy)
	f.Reviewer = reviewer.Name
	return f, err
}

// signatures opens the signatures under a form and holds them against what they cover.
func (r FormRequest) signatures(tx *db.Tx) (map[string]Signature, error) {
	kept, err := tx.Signatures(r.FormRequest)
	if err != nil {
		return nil, err
	}
	signatures := map[string]Signature{}
	for linkID, s := range kept {
		signatures[linkID] = Signature{s, s.Digest == r.digest()}
	}
	return signatures, nil
}
