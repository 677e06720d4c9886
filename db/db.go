// Package db keeps Anteroom's nouns: one file each, with all of that noun's SQL.
//
// Every lookup of a client, or of anything a client owns, takes a Reach; there is no unscoped one.
package db

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrLocked says that another process holds the data folder.
var ErrLocked = errors.New("another anteroom is using this data folder: stop it first, or do this on a screen")

// ErrWrongKey says that the database was sealed under a key that is not the one given.
var ErrWrongKey = errors.New("this database was made with another key: put the right key file back")

// DB is one data folder: the database, its key and the lock that keeps other processes out.
type DB struct {
	folder string
	write  *sql.DB // one connection: SQLite has one writer
	read   *sql.DB
	keys   atomic.Pointer[Keyring]
	clock  func() time.Time
	lock   *os.File

	keySource keySource
	keyBeside bool // the key file has the name and place that it has unless another is given

	clockMoves bool // on purpose
	checked    bool // that it isn't damaged

	search   searchIndex
	sendings sendingIndex
}

const driver = "sqlite3-anteroom"

func init() {
	// The DSN ignores trusted_schema, so each connection is told as it opens.
	sql.Register(driver, &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		_, err := c.Exec("PRAGMA trusted_schema = OFF", nil)
		return err
	}})
}

// Open opens, and on the first start makes, the database in folder, sealed under the last key in keyFile (empty: a file beside
// the database, made when the database is). It returns ErrLocked when another process has the folder and ErrWrongKey when
// the key is not the one that the database was made with, and ErrCorrupt for a damaged one, as far as that shows: Check tells.
// A folder that was restored or moved opens with its outbox paused.
func Open(ctx context.Context, folder, keyFile string, clock func() time.Time) (*DB, error) {
	if keyFile == "" {
		db := &DB{folder: folder, clock: clock, keySource: keySource{file: KeyFile(folder)}, keyBeside: true}
		return db.open(ctx)
	}
	return (&DB{folder: folder, clock: clock, keySource: keySource{file: keyFile}}).open(ctx)
}

// OpenWithKey is Open with a key file's text instead of the file, for hosts that hand out secrets in the environment. It is
// never written anywhere.
func OpenWithKey(ctx context.Context, folder, keyText string, clock func() time.Time) (*DB, error) {
	return (&DB{folder: folder, clock: clock, keySource: keySource{text: keyText}}).open(ctx)
}

func (db *DB) open(ctx context.Context) (_ *DB, err error) {
	folder := db.folder
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if db.lock, err = lockFolder(folder); err != nil {
		return nil, err
	}
	defer func() {
		if err = named(err); err != nil {
			db.Close()
		}
	}()
	path := databaseFile(folder)
	_, statErr := os.Stat(path)
	keys, err := db.keySource.read(errors.Is(statErr, fs.ErrNotExist))
	if err != nil {
		return nil, err
	}
	db.keys.Store(keys)
	if db.write, err = openWriter(path); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() <= checkedAtOnce {
		if err := db.Check(ctx); err != nil {
			return nil, err
		}
	}
	if err := db.migrate(ctx); err != nil {
		return nil, fmt.Errorf("migrate the database: %w", err)
	}
	if err := db.checkSettings(ctx); err != nil {
		return nil, err
	}
	if err := db.Update(ctx, func(tx *Tx) (err error) { keys, err = tx.checkKeys(); return err }); err != nil {
		return nil, err
	}
	db.keys.Store(keys)
	if err := db.Update(ctx, (*Tx).checkOutbox); err != nil {
		return nil, err
	}
	if db.read, err = sql.Open(driver, fileAddress(path)+"?mode=ro&_query_only=on&_busy_timeout=5000&_cache_size=-12288&_stmt_cache_size=64"); err != nil {
		return nil, err
	}
	db.read.SetMaxOpenConns(8)
	db.read.SetMaxIdleConns(8)
	return db, nil
}

// KeyFile is where the key file of a data folder is, unless another is given.
func KeyFile(folder string) string { return filepath.Join(folder, "anteroom.key") }

func databaseFile(folder string) string { return filepath.Join(folder, "anteroom.db") }

// fileAddress is a file's for SQLite: a question mark in a folder's name begins no options.
func fileAddress(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

// openWriter opens the one connection that writes.
func openWriter(path string) (*sql.DB, error) {
	write, err := sql.Open(driver, fileAddress(path)+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate&_busy_timeout=5000&_foreign_keys=on&_secure_delete=on&_cache_size=-8192&_stmt_cache_size=64")
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	write.SetConnMaxLifetime(0)
	return write, nil
}

// checkedAtOnce is the size up to which a database is read through as it opens: some milliseconds.
const checkedAtOnce = 8 << 20

// Check reads the database through, once, and returns ErrCorrupt when it is damaged. Open does so with a small one.
func (db *DB) Check(ctx context.Context) error {
	if db.checked {
		return nil
	}
	pool := db.write
	if db.read != nil { // by a connection of its own, which keeps little of what it reads
		var err error
		if pool, err = sql.Open(driver, fileAddress(databaseFile(db.folder))+"?mode=ro&_query_only=on&_busy_timeout=5000&_cache_size=-512"); err != nil {
			return err
		}
		defer pool.Close()
	}
	var found string
	if err := pool.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return named(err)
	}
	if found != "ok" {
		return fmt.Errorf("%w: %s", ErrCorrupt, found)
	}
	db.checked = true
	return nil
}

// Close ends every connection and gives the data folder back.
func (db *DB) Close() error {
	var errs []error
	for _, pool := range []*sql.DB{db.read, db.write} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Close())
	}
	return errors.Join(errs...)
}

// Now is the time by the database's clock.
func (db *DB) Now() time.Time { return db.clock() }

// Tx is one transaction, with one time of its own.
type Tx struct {
	*sql.Tx
	ctx    context.Context
	db     *DB
	now    time.Time
	keys   *Keyring
	writes bool
	audit  *chained // the last audit entry, once this transaction added one
}

// Now is the transaction's time: every row that it writes carries the same.
func (tx *Tx) Now() time.Time { return tx.now }

// View runs fn in a transaction that only reads.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	return db.run(ctx, db.read, false, fn)
}

// Update runs fn in a transaction that holds the write lock from its start, and commits unless fn returns an error.
// A broken constraint comes back as the named error that errors.go gives it.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	return db.run(ctx, db.write, true, fn)
}

func (db *DB) run(ctx context.Context, pool *sql.DB, writes bool, fn func(*Tx) error) error {
	keys := db.keys.Load() // before what is read is settled: it opens all that may be in there
	sqlTx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer sqlTx.Rollback()
	// When ctx ends, the transaction does. To end its statements too, the driver would start a goroutine for each.
	tx := &Tx{Tx: sqlTx, ctx: context.WithoutCancel(ctx), db: db, keys: keys, writes: writes, now: db.clock().Truncate(time.Millisecond)}
	if writes {
		if tx.keys, err = tx.keysInUse(); err != nil {
			return named(cmp.Or(ctx.Err(), err))
		}
	}
	if err := fn(tx); err != nil {
		return named(cmp.Or(ctx.Err(), err))
	}
	if err := sqlTx.Commit(); err != nil {
		return named(cmp.Or(ctx.Err(), err)) // ended as it was about to commit, it was rolled back
	}
	return nil
}

func (db *DB) migrate(ctx context.Context) error {
	p, err := newMigrator(db.write)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

func newMigrator(pool *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, pool, files)
}

// checkSettings refuses to go on when a setting on which a promise rests is not in force.
func (db *DB) checkSettings(ctx context.Context) error {
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "1", "trusted_schema": "0",
	} {
		var got string
		if err := db.write.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("SQLite's %s is %s, not %s", pragma, got, want)
		}
	}
	return nil
}

func lockFolder(folder string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(folder, "anteroom.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, ErrLocked
	}
	return f, nil
}

// exec runs one statement and tells how many rows it changed.
func (tx *Tx) exec(query string, args ...any) (int64, error) {
	r, err := tx.ExecContext(tx.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// insert runs one INSERT and returns the new row's id.
func (tx *Tx) insert(query string, args ...any) (int64, error) {
	r, err := tx.ExecContext(tx.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

func (tx *Tx) row(query string, args ...any) *sql.Row {
	return tx.QueryRowContext(tx.ctx, query, args...)
}

type scanner interface{ Scan(...any) error }

// list runs a query and reads each of its rows with read.
func list[T any](tx *Tx, read func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := tx.QueryContext(tx.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := read(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// column reads a query of one column.
func column[T any](tx *Tx, query string, args ...any) ([]T, error) {
	return list(tx, func(s scanner) (v T, err error) { err = s.Scan(&v); return }, query, args...)
}

// ms is how a time is kept: unix milliseconds, nothing for the zero time.
func ms(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// timeScan reads a kept time into t.
type timeScan struct{ t *time.Time }

func (s timeScan) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*s.t = time.Time{}
	case int64:
		*s.t = time.UnixMilli(v).UTC()
	default:
		return fmt.Errorf("a time of type %T", v)
	}
	return nil
}

// orNull keeps an absent id as NULL.
func orNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

// idScan reads an id that may be NULL; absent is 0.
type idScan struct{ id *int64 }

func (s idScan) Scan(v any) error {
	*s.id, _ = v.(int64)
	return nil
}

// textScan reads a text that may be NULL; absent is empty.
type textScan struct{ text *string }

func (s textScan) Scan(v any) error {
	*s.text, _ = v.(string)
	return nil
}
