package practice

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"anteroom/db"
	"anteroom/forms"
)

// FormRequest is one form sent to one client, with its definition and what was answered so far.
type FormRequest struct {
	db.FormRequest
	Paper   *forms.Form
	Answers forms.Answers
	SavedAt time.Time         // when the last answer was; zero: none yet
	Wrong   map[string]string // linkId → sentence, for answers that can't stand as they are
	Unsaved bool              // an answer was too long to be kept even to be mended
	Concern bool              // an answer is a safety concern

	Signatures map[string]Signature // by linkId, of a completed form that was opened
}

// SeenInput names a hidden input with SavedAt in unix milliseconds: only a post of a whole page has it. An empty answer in
// such a post takes nothing away that another window saved since the page was made.
const SeenInput = ":seen"

// maxAnswer is the size, in bytes, above which an answer is not kept even to be mended.
const maxAnswer = 64 << 10

// Portal is what waits for a client and what they did.
type Portal struct {
	Organization db.Organization
	Open         []FormRequest
	Done         []FormRequest // newest first
	Concern      bool          // a form they are filling in has a safety concern
}

// Portal shows a client their own forms, but for those that they began in an account before this one.
func (p *Practice) Portal(ctx context.Context, by Client) (portal Portal, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		if portal.Organization, err = tx.Organization(); err != nil {
			return err
		}
		requests, err := tx.FormRequests(by.reach(), by.record.ID)
		if err != nil {
			return err
		}
		for _, request := range requests {
			if request.State() == db.FormRevoked || by.formerly(request) {
				continue
			}
			r, err := p.open(tx, request)
			if err != nil {
				return err
			}
			if r.Open() {
				portal.Open = append(portal.Open, r)
				portal.Concern = portal.Concern || r.Concern
			} else {
				portal.Done = append(portal.Done, r)
			}
		}
		slices.SortStableFunc(portal.Done, func(a, b FormRequest) int { return b.CompletedAt.Compare(a.CompletedAt) })
		return nil
	})
	return portal, err
}

// formSitting is how long one opening of a form counts, however often it is looked at.
const formSitting = idleLimit

// OpenForm opens a client's own form: to fill it in, or to read what they submitted. That they did is noted, once for all their
// looks at it within a quarter of an hour. It returns ErrNotFound for anybody else's, and db.ErrClosed for one that was revoked.
func (p *Practice) OpenForm(ctx context.Context, by Client, id string) (r FormRequest, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if r, err = p.formRequest(tx, by, id); err != nil {
			return err
		}
		act := db.Act("opened the form")
		switch r.State() {
		case db.FormRevoked:
			return db.ErrClosed
		case db.FormCompleted:
			act = "read the completed form"
			if r.Signatures, err = r.signatures(tx); err != nil {
				return err
			}
		}
		sitting := "form " + r.PublicID + ": " + string(act)
		if n, err := tx.Attempts(sitting, tx.Now().Add(-formSitting)); err != nil || n > 0 {
			return err
		}
		return errors.Join(tx.AddAttempt(sitting), tx.Audit(r.entry(act, by)))
	})
	return r, err
}

// SaveAnswers keeps the answers that a post speaks of, as they were typed, and leaves the others alone; what is wrong with
// them is in Wrong. It returns ErrNotFound for a form that isn't the client's, and db.ErrClosed for one that was completed
// or revoked. Of the many small saves of one sitting only the first is in the audit log, after the opening of the form.
func (p *Practice) SaveAnswers(ctx context.Context, by Client, id string, input func(name string) []string) (r FormRequest, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if r, err = p.formRequest(tx, by, id); err != nil {
			return err
		}
		if !r.Open() {
			return db.ErrClosed
		}
		return r.take(tx, by, input)
	})
	return r, err
}

// SubmitForm completes a form with the answers of a post, which are kept in any case: signs it, scores it and closes it.
// What is missing or can't stand is in Wrong, and the form stays open. A form that is completed already stays as it is. It
// returns ErrNotFound for a form that isn't the client's, and db.ErrClosed for one that was revoked.
func (p *Practice) SubmitForm(ctx context.Context, by Client, id string, input func(name string) []string) (r FormRequest, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if r, err = p.formRequest(tx, by, id); err != nil {
			return err
		}
		switch r.State() {
		case db.FormCompleted:
			return nil
		case db.FormRevoked:
			return db.ErrClosed
		}
		if err := r.take(tx, by, input); err != nil {
			return err
		}
		for linkID, sentence := range r.missing() {
			if r.Wrong[linkID] == "" {
				r.Wrong[linkID] = sentence
			}
		}
		if len(r.Wrong) > 0 {
			return nil
		}
		return r.complete(tx, by)
	})
	return r, err
}

// formerly tells that a form was begun in an account that the client had before this one, and that was closed since: another
// address joined anew, and whoever reads it may be somebody else.
func (c Client) formerly(r db.FormRequest) bool {
	return !r.StartedAt.IsZero() && r.StartedAt.Before(c.record.Portal.AccountAt)
}

// formRequest opens a client's own form; ErrNotFound for anybody else's, and for one of an account before this one.
func (p *Practice) formRequest(tx *db.Tx, by Client, id string) (FormRequest, error) {
	request, err := tx.FormRequest(by.reach(), id)
	if err == nil && by.formerly(request) {
		err = ErrNotFound
	}
	if err != nil {
		return FormRequest{}, err
	}
	return p.open(tx, request)
}

// open unseals the answers to a form request.
func (p *Practice) open(tx *db.Tx, request db.FormRequest) (r FormRequest, err error) {
	r = FormRequest{FormRequest: request, Wrong: map[string]string{}}
	if r.Paper, err = p.paper(request.Form); err != nil {
		return r, err
	}
	answers, savedAt, err := tx.Answers(request)
	if err != nil {
		return r, err
	}
	r.Answers, r.SavedAt = answers, savedAt
	maps.Copy(r.Wrong, r.Paper.Malformed(r.Answers))
	r.Concern = r.Paper.SafetyConcern(r.Answers)
	return r, nil
}

func (r FormRequest) entry(act db.Act, by Client) db.AuditEntry {
	return db.AuditEntry{ByClient: by.record.ID, Act: act, ClientID: r.ClientID, Detail: r.Form.Title}
}

// take lays a post over the answers and saves what it changed.
func (r *FormRequest) take(tx *db.Tx, by Client, input func(string) []string) error {
	posted := r.Paper.FromInput(input)
	spared := r.spare(posted, input)
	changed := map[string][]string{}
	for linkID, values := range posted {
		if !slices.Equal(values, r.Answers[linkID]) {
			changed[linkID] = values
		}
	}
	r.Answers = r.Answers.Merge(posted)
	r.Wrong = r.Paper.Malformed(r.Answers)
	r.Concern = r.Paper.SafetyConcern(r.Answers)
	asked := r.Paper.Enabled(r.Answers)
	for _, linkID := range spared {
		if asked[linkID] {
			r.Wrong[linkID] = "You answered this in another window. Please check that it is right."
		}
	}
	for linkID, values := range changed {
		if size(values) <= maxAnswer {
			continue
		}
		delete(changed, linkID)
		if r.Unsaved = true; asked[linkID] {
			r.Wrong[linkID] = "This is too long to be saved. Please shorten it."
		}
	}
	if len(changed) == 0 {
		return nil
	}
	if r.StartedAt.IsZero() {
		r.StartedAt = tx.Now()
		if err := tx.StartFormRequest(r.ID); err != nil {
			return err
		}
		if err := tx.Audit(r.entry("began the form", by)); err != nil {
			return err
		}
	}
	r.SavedAt = tx.Now()
	return tx.SaveAnswers(r.FormRequest, changed)
}

// spare keeps what another window saved from being emptied by a page that doesn't know of it, and tells which answers those are.
func (r *FormRequest) spare(posted forms.Answers, input func(string) []string) (spared []string) {
	seen := input(SeenInput)
	if len(seen) == 0 {
		return nil
	}
	if at, err := strconv.ParseInt(seen[0], 10, 64); err == nil && !r.SavedAt.After(time.UnixMilli(at)) {
		return nil
	}
	for linkID, values := range posted {
		if len(values) == 0 && len(r.Answers[linkID]) > 0 && !slices.Contains(input(forms.ClearInput), linkID) {
			delete(posted, linkID)
			spared = append(spared, linkID)
		}
	}
	return spared
}

func size(values []string) (n int) {
	for _, v := range values {
		n += len(v)
	}
	return n
}

// missing says what keeps the form from being submitted.
func (r FormRequest) missing() map[string]string {
	wrong := r.Paper.Check(r.Answers)
	for linkID, values := range r.Paper.Normalize(r.Answers) {
		if r.Paper.Item(linkID).Kind == forms.Signature && wrong[linkID] == "" && !strings.ContainsFunc(values[0], unicode.IsLetter) {
			wrong[linkID] = "Please type your name in letters to sign."
		}
	}
	return wrong
}

// complete keeps the answers as they stand for good, with their signatures and what they come to.
func (r *FormRequest) complete(tx *db.Tx, by Client) error {
	final := r.Paper.Normalize(r.Answers)
	changed := map[string][]string{}
	for linkID := range r.Answers {
		changed[linkID] = nil // forgotten, if it isn't asked
	}
	maps.Copy(changed, final)
	if err := tx.SaveAnswers(r.FormRequest, changed); err != nil {
		return err
	}
	r.Answers = final
	for linkID, values := range final {
		if item := r.Paper.Item(linkID); item.Kind == forms.Signature {
			signature := db.Signature{Name: values[0], Consent: item.Consent, Digest: r.digest(), SignedAt: tx.Now()}
			if err := tx.AddSignature(r.FormRequest, linkID, signature); err != nil {
				return err
			}
		}
	}
	r.Concern = r.Paper.SafetyConcern(final)
	result := db.FormResult{SafetyConcern: r.Concern}
	if score, ok := r.Paper.Score(final); ok {
		result.Score, result.Max, result.Band = &score.Total, score.Max, score.Band
	}
	if err := tx.CompleteFormRequest(r.FormRequest, result); err != nil {
		return err
	}
	r.CompletedAt = tx.Now()
	return tx.Audit(r.entry("submitted the form", by))
}

// digest is what a signature covers: SHA-256 over the definition's length, the definition and the answers, as JSON with its
// keys in order.
func (r FormRequest) digest() string {
	answers, err := json.Marshal(r.Answers)
	if err != nil {
		panic(err) // texts only
	}
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(r.Form.Definition))))
	h.Write([]byte(r.Form.Definition))
	h.Write(answers)
	return hex.EncodeToString(h.Sum(nil))
}
