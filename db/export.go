package db

import (
	"encoding/json"
	"strings"
)

// FormRequestsOf lists what was asked of these clients within reach, in the clients' order by id, without the forms'
// definitions.
func (tx *Tx) FormRequestsOf(reach Reach, clientIDs []int64) (map[int64][]FormRequest, error) {
	ids, err := json.Marshal(clientIDs)
	if err != nil {
		return nil, err
	}
	all, err := list(tx, readFormRequest, "SELECT "+strings.Replace(formRequestColumns, "f.definition", "''", 1)+
		" WHERE r.client_id IN (SELECT value FROM json_each(?)) AND "+reach.holds("r.client_id")+" ORDER BY r.id", string(ids))
	byClient := map[int64][]FormRequest{}
	for _, r := range all {
		byClient[r.ClientID] = append(byClient[r.ClientID], r)
	}
	return byClient, err
}

// CompletedForms lists a page of the completed requests for a form to clients within reach, whichever version, by id after
// the one that the page before ended with.
func (tx *Tx) CompletedForms(reach Reach, formKey string, after int64, limit int) ([]FormRequest, error) {
	return list(tx, readFormRequest, "SELECT "+formRequestColumns+" WHERE r.form_key = ? AND r.completed_at IS NOT NULL AND r.id > ? AND "+
		reach.holds("r.client_id")+" ORDER BY r.id LIMIT ?", formKey, after, limit)
}

// FormVersions lists all versions of a form, newest first.
func (tx *Tx) FormVersions(formKey string) ([]Form, error) {
	return list(tx, readForm, "SELECT "+formColumns+" FROM forms f WHERE f.key = ? ORDER BY f.id DESC", formKey)
}

// CountCompletedForms counts the completed requests for each form to clients within reach.
func (tx *Tx) CountCompletedForms(reach Reach) (map[string]int, error) {
	counts := map[string]int{}
	_, err := list(tx, func(s scanner) (_ struct{}, err error) {
		var key string
		var n int
		err = s.Scan(&key, &n)
		counts[key] = n
		return struct{}{}, err
	}, "SELECT form_key, count(*) FROM form_requests WHERE completed_at IS NOT NULL AND "+reach.holds("client_id")+" GROUP BY form_key")
	return counts, err
}

// CountFormRequests counts what was asked of clients within reach.
func (tx *Tx) CountFormRequests(reach Reach) (n int, err error) {
	err = tx.row("SELECT count(*) FROM form_requests WHERE " + reach.holds("client_id")).Scan(&n)
	return n, err
}
