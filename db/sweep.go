package db

import "time"

// sweepBatch is how many rows a sweep deletes at once: it is asked again while there are more, and others write in between.
const sweepBatch = 500

// sweep runs one DELETE, whose last argument is how many rows it may take, and tells whether there may be more.
func (tx *Tx) sweep(query string, args ...any) (more bool, err error) {
	n, err := tx.exec(query, append(args, sweepBatch)...)
	return n >= sweepBatch, err
}

// SweepSessions forgets those that ended: not seen since idle, or made before oldest.
func (tx *Tx) SweepSessions(idle, oldest time.Time) (more bool, err error) {
	return tx.sweep("DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE seen_at < ? OR created_at < ? LIMIT ?)", ms(idle), ms(oldest))
}

// SweepAttempts forgets the guesses before a time.
func (tx *Tx) SweepAttempts(before time.Time) (more bool, err error) {
	return tx.sweep("DELETE FROM attempts WHERE rowid IN (SELECT rowid FROM attempts WHERE at < ? LIMIT ?)", ms(before))
}

// SweepImports forgets the files that were kept before a time.
func (tx *Tx) SweepImports(before time.Time) (more bool, err error) {
	return tx.sweep("DELETE FROM imports WHERE author_id IN (SELECT author_id FROM imports WHERE created_at < ? LIMIT ?)", ms(before))
}

// SweepAddressChanges frees the addresses that nobody confirmed in time.
func (tx *Tx) SweepAddressChanges() (more bool, err error) {
	return tx.sweep("DELETE FROM email_addresses WHERE canonical IN (SELECT canonical FROM email_addresses WHERE pending = 1 AND ends_at <= ? LIMIT ?)", ms(tx.now))
}

// SweepDrafts forgets a draft that was never sent and that nobody touched since a time: one, for it may hold many clients.
func (tx *Tx) SweepDrafts(before time.Time) (more bool, err error) {
	ids, err := column[int64](tx, "SELECT id FROM drafts WHERE sent_at IS NULL AND touched_at < ? LIMIT 1", ms(before))
	if err != nil || len(ids) == 0 {
		return false, err
	}
	for _, statement := range []string{"DELETE FROM draft_clients WHERE draft_id = ?", "DELETE FROM draft_forms WHERE draft_id = ?", "DELETE FROM drafts WHERE id = ?"} {
		if _, err := tx.exec(statement, ids[0]); err != nil {
			return false, err
		}
	}
	return true, nil
}

// aboutClients is which letters a practice's history consists of: to invite clients, to tell them of forms, and to remind them.
const aboutClients = "kind IN ('invitation', 'forms', 'invitation reminder', 'forms reminder')"

// SweepMails forgets what letters said that ended before a time; that they were sent, and what became of them, stays.
func (tx *Tx) SweepMails(before time.Time) (more bool, err error) {
	return tx.sweep(`DELETE FROM letter_mails WHERE letter_id IN (SELECT m.letter_id FROM letter_mails m JOIN letters l ON l.id = m.letter_id
		WHERE l.state NOT IN ('queued', 'sending') AND l.settled_at < ? LIMIT ?)`, ms(before))
}

// SweepLetters forgets the letters about somebody's own way in that ended before a time: anybody can have them sent. What they said
// goes first.
func (tx *Tx) SweepLetters(before time.Time) (more bool, err error) {
	return tx.sweep(`DELETE FROM letters WHERE id IN (SELECT id FROM letters l WHERE NOT l.`+aboutClients+` AND l.state NOT IN ('queued', 'sending')
		AND l.settled_at < ? AND NOT EXISTS (SELECT 1 FROM letter_mails m WHERE m.letter_id = l.id) LIMIT ?)`, ms(before))
}

// SweepLinks forgets the links that expired before a time and that no letter and no invitation names any more.
func (tx *Tx) SweepLinks(before time.Time) (more bool, err error) {
	return tx.sweep(`DELETE FROM links WHERE id IN (SELECT id FROM links k WHERE k.expires_at < ? AND NOT EXISTS (SELECT 1 FROM letters l WHERE l.link_id = k.id)
		AND NOT EXISTS (SELECT 1 FROM invitations i WHERE i.link_id = k.id) LIMIT ?)`, ms(before))
}

// SweepDevices forgets the browsers at which nobody was in since a time, but for the last of each person: that they were in somewhere
// is not forgotten.
func (tx *Tx) SweepDevices(before time.Time) (more bool, err error) {
	return tx.sweep(`DELETE FROM devices WHERE rowid IN (SELECT d.rowid FROM devices d WHERE d.seen_at < ? AND EXISTS (SELECT 1 FROM devices l
		WHERE (l.client_id = d.client_id OR l.staff_id = d.staff_id) AND (l.seen_at, l.rowid) > (d.seen_at, d.rowid)) LIMIT ?)`, ms(before))
}
