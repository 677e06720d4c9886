package db

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Form is one version of a form.
type Form struct {
	ID         int64
	Key        string
	Version    string
	Title      string
	Definition string // FHIR R4 Questionnaire
}

// AddForm keeps a version of a form, unless it is there.
func (tx *Tx) AddForm(f Form) error {
	_, err := tx.exec("INSERT INTO forms (key, version, title, definition, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		f.Key, f.Version, f.Title, f.Definition, ms(tx.now))
	return err
}

const formColumns = "f.id, f.key, f.version, f.title, f.definition"

func readForm(s scanner) (f Form, err error) {
	err = s.Scan(&f.ID, &f.Key, &f.Version, &f.Title, &f.Definition)
	return f, err
}

// Forms lists the newest version of each form, in the order in which they came.
func (tx *Tx) Forms() ([]Form, error) {
	return list(tx, readForm, "SELECT "+formColumns+" FROM forms f WHERE f.id = (SELECT max(id) FROM forms WHERE key = f.key) ORDER BY (SELECT min(id) FROM forms WHERE key = f.key)")
}

// FormRequestState is where a form request stands.
type FormRequestState string

const (
	FormSent       FormRequestState = "sent"
	FormInProgress FormRequestState = "in progress"
	FormCompleted  FormRequestState = "completed"
	FormRevoked    FormRequestState = "revoked"
)

// FormRequest is one form sent to one client.
type FormRequest struct {
	ID          int64
	PublicID    string
	ClientID    int64
	Form        Form
	SentBy      int64
	SentAt      time.Time
	StartedAt   time.Time
	CompletedAt time.Time
	RevokedAt   time.Time
	ReviewedAt  time.Time
	ReviewedBy  int64
	sealed      []byte
}

// State derives the form request's state.
func (r FormRequest) State() FormRequestState {
	switch {
	case !r.RevokedAt.IsZero():
		return FormRevoked
	case !r.CompletedAt.IsZero():
		return FormCompleted
	case !r.StartedAt.IsZero():
		return FormInProgress
	}
	return FormSent
}

// Open tells that the client can still fill it in.
func (r FormRequest) Open() bool { return r.RevokedAt.IsZero() && r.CompletedAt.IsZero() }

// AddFormRequest asks a client for a form. While the same form is open for them, that request is kept and added is false.
func (tx *Tx) AddFormRequest(clientID, sentBy int64, f Form) (added bool, err error) {
	n, err := tx.exec(`INSERT INTO form_requests (public_id, client_id, form_id, form_key, sent_by, sent_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (client_id, form_key) WHERE completed_at IS NULL AND revoked_at IS NULL DO NOTHING`,
		uuid.NewString(), clientID, f.ID, f.Key, sentBy, ms(tx.now))
	return n == 1, err
}

const formRequestColumns = formColumns + `, r.id, r.public_id, r.client_id, r.sent_by, r.sent_at, r.started_at, r.completed_at, r.revoked_at,
	r.reviewed_at, r.reviewed_by, r.result FROM form_requests r JOIN forms f ON f.id = r.form_id`

func readFormRequest(s scanner) (r FormRequest, err error) {
	f := &r.Form
	err = s.Scan(&f.ID, &f.Key, &f.Version, &f.Title, &f.Definition, &r.ID, &r.PublicID, &r.ClientID, &r.SentBy,
		timeScan{&r.SentAt}, timeScan{&r.StartedAt}, timeScan{&r.CompletedAt}, timeScan{&r.RevokedAt},
		timeScan{&r.ReviewedAt}, idScan{&r.ReviewedBy}, &r.sealed)
	return r, err
}

// FormRequest finds a form request to a client within reach by public id.
func (tx *Tx) FormRequest(reach Reach, publicID string) (FormRequest, error) {
	r, err := readFormRequest(tx.row("SELECT "+formRequestColumns+" WHERE r.public_id = ? AND "+reach.holds("r.client_id"), publicID))
	return r, named(err)
}

// FormRequests lists the form requests to a client within reach, newest sending first, each sending in the forms' order.
func (tx *Tx) FormRequests(reach Reach, clientID int64) ([]FormRequest, error) {
	return list(tx, readFormRequest, "SELECT "+formRequestColumns+" WHERE r.client_id = ? AND "+reach.holds("r.client_id")+" ORDER BY r.sent_at DESC, r.id", clientID)
}

// StartFormRequest notes that the client has begun.
func (tx *Tx) StartFormRequest(id int64) error {
	_, err := tx.exec("UPDATE form_requests SET started_at = ? WHERE id = ? AND started_at IS NULL", ms(tx.now), id)
	return err
}

// CompleteFormRequest closes an open request with its result, sealed; ErrClosed when it is closed already.
func (tx *Tx) CompleteFormRequest(r FormRequest, result FormResult) error {
	aead, err := tx.clientKey(r.ClientID)
	if err != nil {
		return err
	}
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return tx.closeRequest("UPDATE form_requests SET completed_at = ?, started_at = ifnull(started_at, ?), result = ? WHERE id = ? AND completed_at IS NULL AND revoked_at IS NULL",
		ms(tx.now), ms(tx.now), seal(aead, text, "form_requests", "result", fmt.Sprint(r.ID)), r.ID)
}

// RevokeFormRequest takes an open request back; ErrClosed when it is closed already.
func (tx *Tx) RevokeFormRequest(id int64) error {
	return tx.closeRequest("UPDATE form_requests SET revoked_at = ? WHERE id = ? AND completed_at IS NULL AND revoked_at IS NULL", ms(tx.now), id)
}

func (tx *Tx) closeRequest(query string, args ...any) error {
	n, err := tx.exec(query, args...)
	if err == nil && n == 0 {
		return ErrClosed
	}
	return err
}

// ReviewFormRequest notes that a staff member has seen what a completed form marked.
func (tx *Tx) ReviewFormRequest(id, staffID int64) error {
	_, err := tx.exec("UPDATE form_requests SET reviewed_at = ?, reviewed_by = ? WHERE id = ? AND reviewed_at IS NULL", ms(tx.now), staffID, id)
	return err
}

// FormResult is what a completed form comes to. It is health information and kept sealed.
type FormResult struct {
	Score         *int   `json:"score,omitempty"`
	Max           int    `json:"max,omitempty"`
	Band          string `json:"band,omitempty"`
	SafetyConcern bool   `json:"safetyConcern,omitempty"`
}

// FormResult opens the result of a completed form request.
func (tx *Tx) FormResult(r FormRequest) (result FormResult, err error) {
	if r.sealed == nil {
		return result, nil
	}
	aead, err := tx.clientKey(r.ClientID)
	if err != nil {
		return result, err
	}
	text, err := open(aead, r.sealed, "form_requests", "result", fmt.Sprint(r.ID))
	if err != nil {
		return result, err
	}
	return result, json.Unmarshal(text, &result)
}

// FormProgress counts a client's form requests that were not revoked.
type FormProgress struct {
	Sent          int
	Completed     int
	SafetyConcern bool // a completed form raised one, and nobody has reviewed it
}

// FormProgressOf counts the form requests of clients within reach, and opens those results that nobody has reviewed and
// that are within the second reach: whose forms one may read.
func (tx *Tx) FormProgressOf(reach, reads Reach, clientIDs []int64) (map[int64]FormProgress, error) {
	progress := map[int64]FormProgress{}
	if len(clientIDs) == 0 {
		return progress, nil
	}
	ids, err := json.Marshal(clientIDs)
	if err != nil {
		return nil, err
	}
	requests, err := list(tx, func(s scanner) (r FormRequest, err error) {
		err = s.Scan(&r.ID, &r.ClientID, timeScan{&r.CompletedAt}, timeScan{&r.ReviewedAt}, &r.sealed)
		return r, err
	}, `SELECT id, client_id, completed_at, reviewed_at, CASE WHEN reviewed_at IS NULL AND `+reads.holds("client_id")+` THEN result END FROM form_requests
		WHERE client_id IN (SELECT value FROM json_each(?)) AND revoked_at IS NULL AND `+reach.holds("client_id"), string(ids))
	if err != nil {
		return nil, err
	}
	for _, r := range requests {
		p := progress[r.ClientID]
		p.Sent++
		if !r.CompletedAt.IsZero() {
			p.Completed++
		}
		result, err := tx.FormResult(r)
		if err != nil {
			return nil, err
		}
		p.SafetyConcern = p.SafetyConcern || result.SafetyConcern
		progress[r.ClientID] = p
	}
	return progress, nil
}

// SaveAnswers seals and keeps answers by the linkId of their question; an empty answer is forgotten. ErrClosed when the
// form is closed.
func (tx *Tx) SaveAnswers(r FormRequest, answers map[string][]string) error {
	aead, err := tx.clientKey(r.ClientID)
	if err != nil {
		return err
	}
	for linkID, values := range answers {
		if len(values) == 0 {
			if _, err := tx.exec("DELETE FROM answers WHERE form_request_id = ? AND link_id = ?", r.ID, linkID); err != nil {
				return named(err)
			}
			continue
		}
		text, err := json.Marshal(values)
		if err != nil {
			return err
		}
		_, err = tx.exec(`INSERT INTO answers (form_request_id, link_id, sealed, saved_at) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET sealed = excluded.sealed, saved_at = excluded.saved_at`,
			r.ID, linkID, seal(aead, text, "answers", "sealed", fmt.Sprint(r.ID), linkID), ms(tx.now))
		if err != nil {
			return named(err)
		}
	}
	return nil
}

// Answers opens the answers given so far to a form request, and tells when the last was saved.
func (tx *Tx) Answers(r FormRequest) (answers map[string][]string, saved time.Time, err error) {
	type row struct {
		linkID string
		sealed []byte
		at     time.Time
	}
	rows, err := list(tx, func(s scanner) (a row, err error) { err = s.Scan(&a.linkID, &a.sealed, timeScan{&a.at}); return },
		"SELECT link_id, sealed, saved_at FROM answers WHERE form_request_id = ?", r.ID)
	answers = map[string][]string{}
	if err != nil || len(rows) == 0 {
		return answers, saved, err
	}
	aead, err := tx.clientKey(r.ClientID)
	if err != nil {
		return nil, saved, err
	}
	for _, a := range rows {
		text, err := open(aead, a.sealed, "answers", "sealed", fmt.Sprint(r.ID), a.linkID)
		if err != nil {
			return nil, saved, err
		}
		var values []string
		if err := json.Unmarshal(text, &values); err != nil {
			return nil, saved, err
		}
		answers[a.linkID] = values
		if a.at.After(saved) {
			saved = a.at
		}
	}
	return answers, saved, nil
}

// Signature is a name typed under a consent line, for exactly the form and answers that its digest covers.
type Signature struct {
	Name     string    `json:"name"`
	Consent  string    `json:"consent"`
	Digest   string    `json:"digest"` // SHA-256 of definition and answers
	SignedAt time.Time `json:"signedAt"`
}

// AddSignature seals and keeps a signature; a second one for the same question is refused with ErrExists.
func (tx *Tx) AddSignature(r FormRequest, linkID string, s Signature) error {
	aead, err := tx.clientKey(r.ClientID)
	if err != nil {
		return err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = tx.exec("INSERT INTO signatures (form_request_id, link_id, sealed, signed_at) VALUES (?, ?, ?, ?)",
		r.ID, linkID, seal(aead, text, "signatures", "sealed", fmt.Sprint(r.ID), linkID), ms(s.SignedAt))
	return named(err)
}

// Signatures opens a form request's signatures by the linkId of their question.
func (tx *Tx) Signatures(r FormRequest) (map[string]Signature, error) {
	type row struct {
		linkID string
		sealed []byte
	}
	rows, err := list(tx, func(s scanner) (a row, err error) { err = s.Scan(&a.linkID, &a.sealed); return },
		"SELECT link_id, sealed FROM signatures WHERE form_request_id = ?", r.ID)
	signatures := map[string]Signature{}
	if err != nil || len(rows) == 0 {
		return signatures, err
	}
	aead, err := tx.clientKey(r.ClientID)
	if err != nil {
		return nil, err
	}
	for _, a := range rows {
		text, err := open(aead, a.sealed, "signatures", "sealed", fmt.Sprint(r.ID), a.linkID)
		if err != nil {
			return nil, err
		}
		var s Signature
		if err := json.Unmarshal(text, &s); err != nil {
			return nil, err
		}
		signatures[a.linkID] = s
	}
	return signatures, nil
}
