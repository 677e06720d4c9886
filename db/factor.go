package db

// Factors are the ways in which a person can take the second step when they sign in.
type Factors struct {
	Passkeys      int
	Authenticator bool // an app that shows codes
	RecoveryCodes int  // that are left
}

// Any tells whether there is one; recovery codes alone are none.
func (f Factors) Any() bool { return f.Passkeys > 0 || f.Authenticator }

// Factors tells a client's or a staff member's ways to take the second step.
func (tx *Tx) Factors(clientID, staffID int64) (f Factors, err error) {
	err = tx.row(`SELECT (SELECT count(*) FROM passkeys WHERE client_id = ?1 OR staff_id = ?2),
		EXISTS (SELECT 1 FROM authenticators WHERE client_id = ?1 OR staff_id = ?2),
		(SELECT count(*) FROM recovery_codes WHERE (client_id = ?1 OR staff_id = ?2) AND used_at IS NULL)`, orNull(clientID), orNull(staffID)).
		Scan(&f.Passkeys, &f.Authenticator, &f.RecoveryCodes)
	return f, err
}

// SecondStepRequired tells who must take a second step when they sign in, also those who have set up none yet.
func (tx *Tx) SecondStepRequired() (staff, clients bool, err error) {
	err = tx.row("SELECT staff_second_step, client_second_step FROM organization").Scan(&staff, &clients)
	return staff, clients, named(err)
}

// RequireSecondStep says who must take a second step when they sign in.
func (tx *Tx) RequireSecondStep(staff, clients bool) error {
	_, err := tx.exec("UPDATE organization SET staff_second_step = ?, client_second_step = ?", staff, clients)
	return err
}
