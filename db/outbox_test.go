package db

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// outboxFolder is a data folder whose outbox has worked a while.
type outboxFolder struct {
	t    *testing.T
	path string
	now  time.Time
}

func newOutboxFolder(t *testing.T) *outboxFolder {
	f := &outboxFolder{t, filepath.Join(t.TempDir(), "data"), time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)}
	f.use(func(d *DB) {
		f.now = f.now.Add(time.Hour)
		f.beats(d)
	})
	return f
}

func (f *outboxFolder) use(then func(*DB)) {
	f.t.Helper()
	d, err := Open(f.t.Context(), f.path, "", func() time.Time { return f.now })
	if err != nil {
		f.t.Fatal(err)
	}
	defer d.Close()
	then(d)
}

func (f *outboxFolder) update(d *DB, fn func(*Tx) error) {
	f.t.Helper()
	if err := d.Update(context.Background(), fn); err != nil {
		f.t.Fatal(err)
	}
}

// beats is what the worker does, and whether it beat.
func (f *outboxFolder) beats(d *DB) (o Outbox, beat bool) {
	f.t.Helper()
	f.update(d, func(tx *Tx) (err error) { o, beat, err = tx.BeatOutbox(false); return })
	if beat {
		if err := d.KeepMarker(o); err != nil {
			f.t.Fatal(err)
		}
	}
	return o, beat
}

func (f *outboxFolder) outbox(d *DB) (o Outbox) {
	f.t.Helper()
	f.update(d, func(tx *Tx) (err error) { o, err = tx.Outbox(); return })
	return o
}

// copies returns the folder's database and marker, as a backup has them.
func (f *outboxFolder) copies() map[string][]byte {
	f.t.Helper()
	all := map[string][]byte{}
	for _, name := range []string{"anteroom.db", "anteroom.outbox", "anteroom.key"} {
		data, err := os.ReadFile(filepath.Join(f.path, name))
		if err != nil {
			f.t.Fatal(err)
		}
		all[name] = data
	}
	return all
}

func (f *outboxFolder) put(name string, data []byte) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.path, name), data, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// What happens to a folder while the program is off, and whether its outbox starts paused. The last sentence of docs/security.md's
// promise about restored and moved databases.
func TestRestoredOrMovedDatabaseStartsPaused(t *testing.T) {
	for name, test := range map[string]struct {
		befalls func(f *outboxFolder)
		why     string
	}{
		"nothing":           {func(*outboxFolder) {}, ""},
		"a weekend":         {func(f *outboxFolder) { f.now = f.now.Add(longestPause) }, ""},
		"four days":         {func(f *outboxFolder) { f.now = f.now.Add(longestPause + time.Minute) }, wasAway},
		"a year":            {func(f *outboxFolder) { f.now = f.now.AddDate(1, 0, 0) }, wasAway},
		"clock set a bit":   {func(f *outboxFolder) { f.now = f.now.Add(-clockSlack) }, ""},
		"clock set back":    {func(f *outboxFolder) { f.now = f.now.Add(-clockSlack - time.Second) }, ranBack},
		"a year backwards":  {func(f *outboxFolder) { f.now = f.now.AddDate(-1, 0, 0) }, ranBack},
		"moved without it":  {func(f *outboxFolder) { os.Remove(filepath.Join(f.path, "anteroom.outbox")) }, wasRestored},
		"another's marker":  {func(f *outboxFolder) { f.put("anteroom.outbox", []byte("OTHER 1\n")) }, wasRestored},
		"marker of nothing": {func(f *outboxFolder) { f.put("anteroom.outbox", nil) }, wasRestored},
		"an older copy put back": {func(f *outboxFolder) {
			before := f.copies()
			f.use(func(d *DB) { f.now = f.now.Add(time.Minute); f.beats(d) })
			f.put("anteroom.db", before["anteroom.db"])
		}, wasRestored},
		"copied as a whole": {func(f *outboxFolder) {
			all := f.copies()
			f.path = filepath.Join(f.t.TempDir(), "data")
			if err := os.Mkdir(f.path, 0o700); err != nil {
				f.t.Fatal(err)
			}
			for name, data := range all {
				f.put(name, data)
			}
		}, wasRestored},
		"the same copy put back": {func(f *outboxFolder) { f.put("anteroom.db", f.copies()["anteroom.db"]) }, ""},
		"killed between the beat and its marker": {func(f *outboxFolder) {
			f.use(func(d *DB) {
				f.now = f.now.Add(time.Minute)
				f.update(d, func(tx *Tx) error { _, _, err := tx.BeatOutbox(false); return err })
			})
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newOutboxFolder(t)
			if test.befalls(f); test.why == "" {
				f.use(func(d *DB) {
					if o := f.outbox(d); o.Paused() {
						t.Errorf("%+v", o)
					}
				})
				return
			}
			for range 2 { // and stays so
				f.use(func(d *DB) {
					if o := f.outbox(d); !o.Paused() || o.PausedBy != 0 || o.PausedWhy != test.why {
						t.Errorf("%+v", o)
					}
					if o, beat := f.beats(d); !o.Paused() || beat && test.why != wasRestored {
						t.Errorf("after a beat: %+v", o)
					}
				})
			}
			f.use(func(d *DB) { f.update(d, (*Tx).ResumeOutbox) })
			f.use(func(d *DB) {
				if o := f.outbox(d); o.Paused() || !o.BeatAt.Equal(f.now) {
					t.Errorf("after resuming: %+v", o)
				}
			})
			if info, err := os.Stat(filepath.Join(f.path, "anteroom.outbox")); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

// A database from before there was a heartbeat is one that is updated, unless letters have waited in it for days.
func TestDatabaseFromBeforeTheHeartbeat(t *testing.T) {
	for name, test := range map[string]struct {
		waits  bool
		away   time.Duration
		paused bool
	}{
		"updated":                       {true, time.Hour, false},
		"updated, with nothing waiting": {false, 30 * 24 * time.Hour, false},
		"an old copy":                   {true, 4 * 24 * time.Hour, true},
	} {
		f := newOutboxFolder(t)
		f.use(func(d *DB) {
			f.update(d, func(tx *Tx) error {
				if test.waits {
					m := StaffMember{Name: "Olga", Role: RoleAdministrator}
					m.Email, _ = ParseEmail("olga@willow.example")
					if err := tx.AddStaff(&m); err != nil {
						return err
					}
					if err := tx.AddLetter(&Letter{Kind: LetterJoinStaff, StaffID: m.ID, To: m.Email, Data: []byte("x")}); err != nil {
						return err
					}
				}
				_, err := tx.exec("DELETE FROM outbox")
				return errors.Join(err, tx.Audit(AuditEntry{Act: "signed in"}))
			})
		})
		if err := os.Remove(filepath.Join(f.path, "anteroom.outbox")); err != nil {
			t.Fatal(err)
		}
		f.now = f.now.Add(test.away)
		f.use(func(d *DB) {
			if o := f.outbox(d); o.Paused() != test.paused {
				t.Errorf("%s: %+v", name, o)
			}
		})
	}
}

func TestResumingBringsBackWhatAClockThatRanAheadPutOff(t *testing.T) {
	f := newOutboxFolder(t)
	f.use(func(d *DB) {
		var m StaffMember
		f.update(d, func(tx *Tx) error {
			m = StaffMember{Name: "Olga", Role: RoleAdministrator}
			m.Email, _ = ParseEmail("olga@willow.example")
			if err := tx.AddStaff(&m); err != nil {
				return err
			}
			for i, due := range []time.Duration{365 * 24 * time.Hour, time.Hour} {
				if err := tx.AddLetter(&Letter{Kind: LetterJoinStaff, StaffID: m.ID, To: m.Email, MessageID: fmt.Sprint(i), Data: []byte("x")}); err != nil {
					return err
				}
				if _, err := tx.exec("UPDATE letters SET due = ? WHERE message_id = ?", ms(tx.now.Add(due)), fmt.Sprint(i)); err != nil {
					return err
				}
			}
			return nil
		})
		f.update(d, func(tx *Tx) error { return tx.PauseOutbox(m.ID, "Olga paused the outbox.") })
		f.update(d, func(tx *Tx) error {
			if letters, err := tx.ClaimLetters(9, time.Minute); err != nil || len(letters) != 0 {
				t.Errorf("claimed while paused: %v, %v", letters, err)
			}
			if next, err := tx.NextLetter(); err != nil || !next.IsZero() {
				t.Errorf("the worker would wait for %v, %v", next, err)
			}
			return tx.ResumeOutbox()
		})
		f.update(d, func(tx *Tx) error {
			letters, err := tx.StaffLetters(m.ID)
			if err != nil || !letters[1].Due.Equal(f.now) || !letters[0].Due.Equal(f.now.Add(time.Hour)) {
				t.Errorf("%+v, %v", letters, err)
			}
			return err
		})
	})
}

func TestQuietHours(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		now         string
		from, until int
		want        string
	}{
		{"2026-11-05 19:59", 20, 8, ""},
		{"2026-11-05 20:00", 20, 8, "2026-11-06 08:00"},
		{"2026-11-06 00:00", 20, 8, "2026-11-06 08:00"},
		{"2026-11-06 07:59", 20, 8, "2026-11-06 08:00"},
		{"2026-11-06 08:00", 20, 8, ""},
		{"2026-11-06 12:30", 12, 14, "2026-11-06 14:00"},
		{"2026-11-06 14:00", 12, 14, ""},
		{"2026-11-06 11:59", 12, 14, ""},
		{"2026-11-06 12:00", 12, 12, ""},
		{"2026-12-31 23:00", 22, 0, "2027-01-01 00:00"},
		{"2027-01-01 00:00", 22, 0, ""},
		{"2027-03-14 01:30", 20, 2, "2027-03-14 03:00"}, // there is no two o'clock
		{"2027-03-14 00:00", 20, 8, "2027-03-14 08:00"},
		{"2026-11-01 00:30", 20, 2, "2026-11-01 02:00"}, // one o'clock comes twice
	} {
		now, err := time.ParseInLocation("2006-01-02 15:04", test.now, zone)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		s := ReminderSettings{QuietFrom: test.from, QuietUntil: test.until, TimeZone: zone}
		if end := s.AfterQuiet(now); end.After(now) {
			got = end.Format("2006-01-02 15:04")
		}
		if got != test.want {
			t.Errorf("%s in hours %d to %d: until %q, not %q", test.now, test.from, test.until, got, test.want)
		}
	}
}

// What may be claimed and what the worker waits for are one rule: it must not wake for what it doesn't get.
func TestRemindersWaitForTheEndOfQuietHours(t *testing.T) {
	f := newOutboxFolder(t)
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	f.use(func(d *DB) {
		f.now = time.Date(2026, 11, 5, 21, 0, 0, 0, zone)
		m := StaffMember{Name: "Olga", Role: RoleAdministrator}
		m.Email, _ = ParseEmail("olga@willow.example")
		f.update(d, func(tx *Tx) error {
			return errors.Join(tx.SaveOrganization(Organization{Name: "Willow", TimeZone: zone, InvitationDays: 7}), tx.AddStaff(&m))
		})
		add := func(kind LetterKind) {
			f.update(d, func(tx *Tx) error {
				return tx.AddLetter(&Letter{Kind: kind, StaffID: m.ID, To: m.Email, MessageID: string(kind), Data: []byte("x")})
			})
		}
		claims := func(want int, next time.Time) {
			t.Helper()
			f.update(d, func(tx *Tx) error {
				if got, err := tx.NextLetter(); err != nil || !got.Equal(next) {
					t.Errorf("next at %v, not %v, %v", got, next, err)
				}
				got, err := tx.ClaimLetters(9, time.Minute)
				if len(got) != want {
					t.Errorf("%v: claimed %d, not %d", tx.Now(), len(got), want)
				}
				return err
			})
		}
		add(LetterInvitationReminder)
		eight := time.Date(2026, 11, 6, 8, 0, 0, 0, zone)
		claims(0, eight)
		add(LetterNewPassword)
		claims(1, f.now)
		claims(0, eight)
		f.now = eight
		claims(1, time.Date(2026, 11, 5, 21, 0, 0, 0, zone))
		claims(0, time.Time{})
	})
}
