package db

import (
	"encoding/json"
	"strconv"
	"time"
)

// RelaySettings is the mail relay as an administrator set it on a screen.
type RelaySettings struct {
	Provider  string // a preset's name; empty: another provider
	Host      string
	Port      int
	Security  string
	From      Email // the address that mails come from
	Username  string
	TokenURL  string // not empty: signs in with OAuth 2
	ClientID  string
	Scope     string
	PerMinute int // letters; 0: no limit
	PerDay    int
	Secrets   RelaySecrets
	ChangedBy int64
	ChangedAt time.Time
}

// RelaySecrets is the part of them that is sealed.
type RelaySecrets struct {
	Password     string `json:",omitempty"`
	ClientSecret string `json:",omitempty"`
	RefreshToken string `json:",omitempty"`
}

// RelaySettings returns ErrNotFound while nobody set a relay.
func (tx *Tx) RelaySettings() (s RelaySettings, err error) {
	var from, keyID string
	var sealed []byte
	err = tx.row(`SELECT provider, host, port, security, from_address, username, token_url, client_id, scope, per_minute, per_day, sealed, key_id, changed_by, changed_at
		FROM relay_settings`).Scan(&s.Provider, &s.Host, &s.Port, &s.Security, &from, &s.Username, &s.TokenURL, &s.ClientID, &s.Scope,
		&s.PerMinute, &s.PerDay, &sealed, &keyID, &s.ChangedBy, timeScan{&s.ChangedAt})
	if err != nil {
		return s, named(err)
	}
	if s.From, err = ParseEmail(from); err != nil {
		return s, err
	}
	plain, err := relaySeal.open(tx, sealed, keyID, s.bound()...)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(plain, &s.Secrets)
}

// SaveRelaySettings sets the relay, or changes all of it.
func (tx *Tx) SaveRelaySettings(s RelaySettings) error {
	plain, err := json.Marshal(s.Secrets)
	if err != nil {
		return err
	}
	sealed, keyID := relaySeal.seal(tx, plain, s.bound()...)
	_, err = tx.exec(`INSERT OR REPLACE INTO relay_settings (id, provider, host, port, security, from_address, username, token_url, client_id, scope,
			per_minute, per_day, sealed, key_id, changed_by, changed_at) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.Provider, s.Host, s.Port, s.Security, s.From.String(), s.Username, s.TokenURL, s.ClientID, s.Scope,
		s.PerMinute, s.PerDay, sealed, keyID, s.ChangedBy, ms(tx.now))
	return err
}

// bound are the values to which the secrets are bound, where they are sent: whoever writes to the database without the key
// can't have them sent elsewhere.
func (s RelaySettings) bound() []string {
	return []string{"1", s.Host, strconv.Itoa(s.Port), s.Security, s.Username, s.TokenURL, s.ClientID}
}

// DropRelaySettings forgets the relay, secrets and all.
func (tx *Tx) DropRelaySettings() error {
	_, err := tx.exec("DELETE FROM relay_settings")
	return err
}
