package mail

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"sync"
	"time"

	"anteroom/db"
)

const (
	lease            = 15 * time.Minute // of a claim, should its worker vanish
	shortestWait     = time.Minute      // before the next try, doubled each time
	longestWait      = time.Hour
	giveUpAfter      = 5 * 24 * time.Hour
	linkMustLast     = 2 * 24 * time.Hour // when a letter leaves; or half its life, where that is shorter
	ReminderMustLast = 12 * time.Hour     // the link that a reminder repeats
	noticeMustLeave  = 24 * time.Hour     // a letter that says what happened; later it would alarm, and not help
	MaxUncertain     = 3                  // endings of one letter, so that no more copies of it ever leave

	maxConnections = 10
	closeIdle      = 30 * time.Second      // connections without work
	settleWithin   = 20 * time.Millisecond // so that letters share a commit
	waitClaimed    = time.Second           // of a claimed letter, for a connection
	settleAtOnce   = 100
	lookAnew       = time.Minute // at the latest, whatever the clock did meanwhile
	stopWithin     = 20 * time.Second
	writeAgain     = time.Second // when the database could not be written
	lastWrites     = 5           // tries of it when stopping
)

// Worker takes letters from the outbox to the relay. A database has one.
type Worker struct {
	db          *db.DB
	connections int
	log         *slog.Logger
	wake        chan struct{}
	stopWithin  time.Duration

	mu        sync.Mutex
	relay     *Relay // nil: there is none
	status    Status // as far as the relay goes: of a pause the database knows
	unwritten string // why the database can't be written; empty: it can
	retry     bool   // somebody asks to try the relay at once
}

// Status is what screens may say of the outbox.
type Status struct {
	Held     string    // why no letter leaves, in a sentence; empty: they leave
	Alarm    bool      // it needs a person
	Unset    bool      // no mail server is set up
	Trouble  bool      // it lies with the mail server
	Since    time.Time // when it began
	Retry    time.Time // when it is tried again
	Paused   bool      // until an administrator resumes it
	PausedBy int64     // the administrator who did; 0: the program
	Limit    string    // such as "2,000 letters a day", while the relay takes no more than that; empty: it isn't reached
	More     time.Time // when the rest begin to leave then
}

const (
	noRelay     = "No mail server is set up, so letters wait in the queue."
	untilResume = " Nothing is sent until an administrator resumes the outbox."
	diskFull    = "The disk is full or failing. No letter leaves while that can't be kept; it goes on by itself."
)

// NewWorker returns a worker that keeps up to so many connections to the relay, ten at most. It holds all letters until
// Configure names one.
func NewWorker(database *db.DB, connections int, log *slog.Logger) *Worker {
	return &Worker{
		db: database, connections: min(max(connections, 1), maxConnections), log: log,
		wake: make(chan struct{}, 1), stopWithin: stopWithin,
	}
}

// Configure gives the relay to which letters go from now on, or none, the zero value. Letters on the wire finish where they are.
func (w *Worker) Configure(relay Relay) {
	w.mu.Lock()
	if w.relay = nil; relay.Settings().Host != "" {
		w.relay = &relay
	}
	w.mu.Unlock()
	w.Wake()
}

// Retry asks a relay that holds the outbox again at once.
func (w *Worker) Retry() {
	w.mu.Lock()
	w.retry = true
	w.mu.Unlock()
	w.Wake()
}

// Wake tells the worker that letters are due, or that the outbox was paused or resumed.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default: // it has been told
	}
}

// Status returns what holds the outbox, if anything does.
func (w *Worker) Status() Status {
	var o db.Outbox
	err := w.db.View(context.Background(), func(tx *db.Tx) (err error) { o, err = tx.Outbox(); return })
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil && w.unwritten == "":
		return Status{Held: unreadable(err), Alarm: true}
	case w.unwritten != "":
		return Status{Held: w.unwritten, Alarm: true}
	case o.Paused():
		return Status{Held: o.PausedWhy + untilResume, Alarm: o.PausedBy == 0, Since: o.PausedAt, Paused: true, PausedBy: o.PausedBy}
	case w.relay == nil:
		return Status{Held: noRelay, Unset: true}
	}
	return w.status
}

// unreadable is why the outbox can't be worked through, in a sentence.
func unreadable(err error) string {
	if errors.Is(err, db.ErrCorrupt) {
		return "The database is damaged, so nothing is sent. Whoever looks after this server has to restore a backup."
	}
	return diskFull
}

// Run works through the outbox until ctx ends. Then nothing more is claimed, the letters on the wire get some seconds to
// finish before they are dropped, and how each ended is kept; the error says that it couldn't be.
func (w *Worker) Run(ctx context.Context) error {
	wire, drop := context.WithCancel(context.WithoutCancel(ctx))
	defer drop()
	r := &run{Worker: w, results: make(chan result, w.connections), turned: make(chan turn, 1), claimed: map[int64]bool{}, starting: true, more: true}
	var working sync.WaitGroup
	for range w.connections {
		s := &sender{jobs: make(chan job, 1)}
		r.senders, r.idle = append(r.senders, s), append(r.idle, s)
		working.Go(func() { s.work(wire, r.results) })
	}
	r.work(ctx)
	err := r.finish(context.WithoutCancel(ctx), drop)
	for _, s := range r.senders {
		close(s.jobs)
	}
	working.Wait()
	return err
}

// sender owns one connection to the relay.
type sender struct {
	jobs      chan job
	connected bool      // when it last had to do with the relay
	rest      time.Time // until then: the relay wanted fewer connections
}

// job is a letter to send. Without one, a sender only connects, to see whether the relay is there.
type job struct {
	relay   *Relay
	claimed time.Time // real time
	letter  *db.Letter
	secrets Secrets // fill the letter's slots
}

type result struct {
	Result
	job    job
	sender *sender
}

func (s *sender) work(ctx context.Context, results chan<- result) {
	var relay *Relay
	var line *Line // to it
	hangUp := func() {
		if line != nil {
			line.Close()
		}
	}
	defer func() { hangUp() }()
	for {
		select {
		case j, open := <-s.jobs:
			if !open {
				return
			}
			if j.relay != relay {
				hangUp()
				relay, line = j.relay, j.relay.Line()
			}
			results <- result{j.do(ctx, line), j, s}
		case <-time.After(closeIdle):
			hangUp()
		}
	}
}

func (j job) do(ctx context.Context, line *Line) Result {
	if j.letter == nil {
		if trouble, ok := line.Open(ctx).(*Trouble); ok {
			return Result{Trouble: trouble}
		}
		return Result{}
	}
	data, err := Fill(j.letter.Data, j.secrets)
	if err != nil {
		return Result{Outcome: Rejected, Reply: "The letter was damaged: it has no place for its link."}
	}
	from, err := db.ParseEmail(j.letter.EnvelopeFrom)
	if err != nil {
		return Result{Outcome: Rejected, Reply: "The letter was damaged: its sender is no email address."}
	}
	result := line.Send(ctx, from, j.letter.To, data)
	if result.Outcome == Deferred && ctx.Err() != nil {
		return Result{} // it was us who hung up
	}
	return result
}

// run is the dispatcher: one goroutine that knows what every sender does and takes turns at the database. It claims a few
// letters more than there are senders and hands them out while a turn is under way, so that none waits for a commit, and
// keeps the endings of several in one commit.
type run struct {
	*Worker
	senders   []*sender
	idle      []*sender // the last one worked last: its connection is open
	results   chan result
	turned    chan turn
	turning   bool           // a turn is under way
	out       int            // jobs that senders have
	ready     []job          // claimed letters for which no sender is free
	claimed   map[int64]bool // by this run, and not known to be settled
	endings   []db.Settlement
	oldest    time.Time // real time of the first of them
	writable  time.Time // real time before which the database isn't tried again
	finished  int       // letters since the last claim
	claimedAt time.Time // real time of it
	starting  bool      // what is being sent now, a run before this one left behind
	stopping  bool
	last      bool // nothing is on its way any more
	paused    bool
	damaged   bool      // the database: nothing is claimed any more
	tended    time.Time // when a turn last beat
	woken     bool      // since then

	more     bool      // letters may be due
	next     time.Time // when the next one is
	held     time.Time // until then nothing leaves
	failures int       // that held the outbox since a letter last got an answer
	probing  bool

	to   *Relay // where letters go
	pace pace   // what it takes
}

func (r *run) work(ctx context.Context) {
	for ctx.Err() == nil {
		r.follow()
		r.turn(ctx)
		r.handOut()
		timer := time.NewTimer(r.patience())
		select {
		case <-ctx.Done():
		case first := <-r.results:
			r.take(first)
			for len(r.results) > 0 {
				r.take(<-r.results)
			}
		case t := <-r.turned:
			r.kept(t)
		case <-r.wake:
			r.more, r.woken = true, true
		case <-timer.C:
			r.more = true
		}
		timer.Stop()
	}
}

// follow goes to the relay that is configured now.
func (r *run) follow() {
	r.mu.Lock()
	relay, retry := r.relay, r.retry
	r.retry = false
	r.mu.Unlock()
	if now := r.db.Now(); retry && now.Before(r.held) {
		r.held = now
	}
	if relay == r.to {
		return
	}
	r.to, r.held, r.failures, r.more = relay, time.Time{}, 0, true
	for _, s := range r.senders {
		s.connected, s.rest = false, time.Time{}
	}
	r.free()
	r.putBack()
	r.pace = pace{}
	if relay != nil {
		s := relay.Settings()
		r.pace = pace{perMinute: s.PerMinute, perDay: s.PerDay, unknown: s.PerMinute > 0 || s.PerDay > 0}
	}
}

// putBack gives the claimed letters back that have not been given to a sender.
func (r *run) putBack() {
	for _, j := range r.ready {
		r.end(settlement(*j.letter, Result{}, r.db.Now()))
	}
	r.ready = nil
}

// putBackStale gives back what waits for a sender for longer than a moment: the next claim asks again whether it may leave.
func (r *run) putBackStale() {
	for len(r.ready) > 0 && time.Since(r.ready[0].claimed) >= waitClaimed {
		r.end(settlement(*r.ready[0].letter, Result{}, r.db.Now()))
		r.ready = r.ready[1:]
	}
}

// patience is how long the dispatcher may wait when nobody calls it.
func (r *run) patience() time.Duration {
	now, wait := r.db.Now(), lookAnew
	sooner := func(d time.Duration) { wait = max(0, min(wait, d)) }
	if !r.held.IsZero() && len(r.idle) > 0 && !r.probing {
		sooner(r.held.Sub(now))
	} else if !r.next.IsZero() && !r.more {
		sooner(r.next.Sub(now))
	} else if room, again, _ := r.pace.room(now); r.more && room <= 0 {
		sooner(again.Sub(now))
	}
	if len(r.ready) > 0 {
		sooner(time.Until(r.ready[0].claimed.Add(waitClaimed)))
	}
	if len(r.endings) > 0 && !r.turning {
		sooner(time.Until(r.oldest.Add(settleWithin)))
	}
	if until := time.Until(r.writable); until > 0 {
		wait = until
	}
	return wait
}

// handOut gives what there is to do to the senders that are free.
func (r *run) handOut() {
	now := r.db.Now()
	if !r.held.IsZero() {
		if !r.probing && !now.Before(r.held) && len(r.idle) > 0 && r.to != nil && !r.paused {
			r.probing = true
			r.give(len(r.idle)-1, job{})
		}
		return
	}
	r.putBackStale()
	for i := len(r.idle) - 1; i >= 0 && len(r.ready) > 0; i-- {
		if now.Before(r.idle[i].rest) {
			continue
		}
		next := r.ready[0]
		r.ready = r.ready[1:]
		r.give(i, next)
	}
}

func (r *run) give(i int, j job) {
	s := r.idle[i]
	r.idle = slices.Delete(r.idle, i, i+1)
	r.out++
	j.relay = r.to
	s.jobs <- j
}

// take learns how a job ended.
func (r *run) take(res result) {
	r.out--
	r.finished++
	r.idle = append(r.idle, res.sender)
	if res.job.letter == nil {
		r.probing = false
	}
	if res.job.relay == r.to {
		r.learn(res)
	}
	if res.job.letter == nil {
		return
	}
	if res.Outcome != NotSent {
		r.pace.note(r.db.Now())
	}
	r.end(settlement(*res.job.letter, res.Result, r.db.Now()))
	if res.Outcome != Accepted {
		r.log.Info("letter not accepted", "letter", res.job.letter.PublicID, "outcome", res.Outcome.String(), "attempt", res.job.letter.Attempts)
	}
}

// learn takes from a result how the relay fares.
func (r *run) learn(res result) {
	res.sender.connected, res.sender.rest = res.Trouble == nil, time.Time{}
	switch {
	case res.Trouble != nil:
		r.trouble(res)
	case res.job.letter == nil: // the relay is there again
		r.held, r.more = time.Time{}, true
	case res.Outcome != NotSent:
		r.held, r.failures = time.Time{}, 0
		r.free()
	}
}

// trouble holds the whole outbox, unless other connections work: then the relay only wants fewer of them.
func (r *run) trouble(res result) {
	now, reason := r.db.Now(), address.ReplaceAllString(res.Trouble.Reason, "…")
	if res.job.letter != nil && slices.ContainsFunc(r.senders, func(s *sender) bool { return s.connected }) {
		res.sender.rest = now.Add(shortestWait)
		return
	}
	if !r.held.IsZero() && res.job.letter != nil {
		return // another sender met it before
	}
	r.held = now.Add(backOff(r.failures))
	r.failures++
	r.putBack()
	r.mu.Lock()
	if r.status.Held == "" {
		r.status.Since = now
	}
	r.status.Held, r.status.Alarm, r.status.Trouble, r.status.Retry = reason, res.Trouble.Alarm, true, r.held
	r.mu.Unlock()
	level := slog.LevelWarn
	if res.Trouble.Alarm {
		level = slog.LevelError
	}
	r.log.Log(context.Background(), level, "outbox held", "reason", reason, "retry", r.held)
}

// address is what might be one in a stranger's words: neither logs nor what every staff member is told names anybody.
var address = regexp.MustCompile(`\S+@\S+`)

// free says that letters leave.
func (r *run) free() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.Held != "" {
		r.log.Info("outbox goes on")
	}
	r.status = Status{}
}

func (r *run) end(s db.Settlement) {
	if len(r.endings) == 0 {
		r.oldest = time.Now()
	}
	r.endings = append(r.endings, s)
	r.more = r.more || s.State == db.LetterQueued // it has a due time that next doesn't know
}

// turn is one transaction: it keeps how letters ended, beats, and claims what senders need.
type turn struct {
	endings []db.Settlement
	tend    bool // beats; every claim does
	claim   bool
	seed    bool // only asks when letters reached the relay: nothing leaves before that is known
	jobs    []job
	next    time.Time
	outbox  db.Outbox
	reached []time.Time
	err     error
}

// turn begins a turn when one is due and none is under way.
func (r *run) turn(ctx context.Context) {
	now := r.db.Now()
	ahead := r.ahead()
	room, again, limit := r.pace.room(now)
	wanted := min(r.working()+ahead, room) - r.out - len(r.ready)
	claim := r.more && r.held.IsZero() && r.to != nil && !r.stopping && !r.damaged && wanted > 0 && 2*len(r.ready) <= ahead
	r.slow(limit, again)
	keep := len(r.endings) > 0 && (len(r.endings) >= settleAtOnce || r.out+len(r.ready) == 0 || time.Since(r.oldest) >= settleWithin)
	tend := r.last || r.woken || r.tended.IsZero() || now.Sub(r.tended).Abs() >= lookAnew
	if r.turning || !claim && !keep && !tend || time.Now().Before(r.writable) {
		return
	}
	t := turn{endings: r.endings, claim: claim, seed: claim && r.pace.unknown, tend: tend || claim}
	r.endings, r.turning = nil, true
	r.more = r.more && !claim // what is due from now on is for the next turn
	r.woken = r.woken && !t.tend
	last := r.last
	go func() {
		beat := false
		t.err = r.db.Update(context.WithoutCancel(ctx), func(tx *db.Tx) (err error) {
			for _, s := range t.endings {
				if err := tx.SettleLetter(s); err != nil {
					return err
				}
			}
			if !t.tend {
				return nil
			}
			if t.outbox, beat, err = tx.BeatOutbox(last); err != nil {
				return err
			}
			if err := r.recover(tx); err != nil {
				return err
			}
			if !t.claim {
				return nil
			}
			if t.seed {
				t.reached, err = tx.LettersReached(tx.Now().Add(-day))
				return err
			}
			if t.jobs, err = claimJobs(tx, wanted); err != nil {
				return err
			}
			t.next, err = tx.NextLetter()
			return err
		})
		if t.err == nil && beat {
			if err := r.db.KeepMarker(t.outbox); err != nil {
				r.log.Error("the outbox's marker can't be written", "error", err)
			}
		}
		r.turned <- t
	}()
}

// kept goes on where a turn ended.
func (r *run) kept(t turn) {
	r.turning = false
	if t.err != nil {
		r.unkept(t)
		return
	}
	r.mu.Lock()
	if r.unwritten != "" {
		r.log.Info("outbox can be written again")
	}
	r.unwritten = ""
	r.mu.Unlock()
	for _, s := range t.endings {
		delete(r.claimed, s.Letter.ID)
	}
	if t.tend {
		r.starting, r.tended = false, r.db.Now()
		r.pauseOrResume(t.outbox)
	}
	if !t.claim {
		return
	}
	if t.seed {
		r.pace.unknown, r.pace.reached, r.more = false, t.reached, true
		return
	}
	r.next, r.claimedAt, r.finished = t.next, time.Now(), 0
	r.more = r.more || !t.next.IsZero() && !r.db.Now().Before(t.next)
	for _, j := range t.jobs {
		r.claimed[j.letter.ID] = true
		j.claimed = r.claimedAt
		if r.held.IsZero() && r.to != nil && !r.stopping {
			r.ready = append(r.ready, j)
		} else { // it came too late
			r.end(settlement(*j.letter, Result{}, r.db.Now()))
		}
	}
	if len(r.ready)+r.out == 0 && !r.more {
		r.free() // there is nothing to hold
	}
}

// unkept waits before the database is tried again: no letter is sent that was not claimed in it, and how others ended is kept
// in mind until then.
func (r *run) unkept(t turn) {
	r.writable = time.Now().Add(writeAgain)
	r.endings, r.more = append(t.endings, r.endings...), r.more || t.claim
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(t.err, db.ErrCorrupt) {
		r.damaged = true
		r.writable = time.Now().Add(lookAnew)
	}
	if r.unwritten == "" || r.damaged {
		r.log.Error("outbox can't be written", "error", t.err)
	}
	r.unwritten = unreadable(t.err)
}

// pauseOrResume follows what the database says of the outbox as a whole.
func (r *run) pauseOrResume(o db.Outbox) {
	if o.Paused() {
		r.putBack()
	}
	if o.Paused() == r.paused {
		return
	}
	r.paused, r.more = o.Paused(), true
	r.pace.unknown = r.pace.perMinute > 0 || r.pace.perDay > 0 // the clock may have been put right
	switch {
	case !o.Paused():
		r.log.Info("outbox resumed")
	case o.PausedBy == 0:
		r.log.Error("outbox paused", "reason", o.PausedWhy)
	default:
		r.log.Info("outbox paused by an administrator")
	}
}

// ahead is how many letters to claim before there is a sender for them: as many as leave in a moment at the pace of late, so
// that no sender waits for a commit, and hardly any letter is claimed that could still have been taken back.
func (r *run) ahead() int {
	const moment, most = 50 * time.Millisecond, 200
	pace := float64(r.finished) / float64(time.Since(r.claimedAt)+1)
	return min(most, int(pace*float64(moment)))
}

// working counts the senders that the relay lets work.
func (r *run) working() int {
	n, now := 0, r.db.Now()
	for _, s := range r.senders {
		if !now.Before(s.rest) {
			n++
		}
	}
	return n
}

// recover settles what nobody else will: letters on whose way a worker vanished. They may have arrived.
func (r *run) recover(tx *db.Tx) error {
	lost, err := tx.LostLetters(r.starting)
	if err != nil {
		return err
	}
	for _, l := range lost {
		if r.claimed[l.ID] {
			continue
		}
		r.log.Warn("letter lost on its way", "letter", l.PublicID)
		ending := settlement(l, Result{Outcome: Uncertain, Reply: "The program stopped while this letter was on its way."}, tx.Now())
		if err := tx.SettleLetter(ending); err != nil {
			return err
		}
	}
	return nil
}

// claimJobs claims up to n letters. Those that come too late are settled instead.
func claimJobs(tx *db.Tx, n int) ([]job, error) {
	letters, err := tx.ClaimLetters(n, lease)
	if err != nil {
		return nil, err
	}
	var jobs []job
	for i := range letters {
		j := job{letter: &letters[i]}
		var link db.Link
		if j.letter.LinkID != 0 {
			if link, j.secrets.Link, err = tx.LinkToken(j.letter.LinkID); err != nil {
				return nil, err
			}
		}
		if j.secrets.NotMeant, err = tx.LetterToken(*j.letter); err != nil {
			return nil, err
		}
		if why, end := TooLate(*j.letter, link, tx.Now()); why != "" {
			if err := tx.SettleLetter(db.Settlement{Letter: *j.letter, State: end, Reply: why}); err != nil {
				return nil, err
			}
			continue
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// slow says that the relay takes no more for now.
func (r *run) slow(limit string, again time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.more || r.to == nil {
		limit, again = "", time.Time{}
	}
	if limit != "" && r.status.Limit == "" {
		r.log.Info("outbox waits", "limit", limit, "until", again)
	}
	r.status.Limit, r.status.More = limit, again
}

// finish waits for the letters on the wire, drops those that take too long, and keeps how each ended.
func (r *run) finish(ctx context.Context, drop context.CancelFunc) error {
	r.stopping = true
	r.putBack()
	late := time.AfterFunc(r.stopWithin, drop)
	defer late.Stop()
	for r.out > 0 || r.turning {
		select {
		case res := <-r.results:
			r.take(res)
		case t := <-r.turned:
			r.kept(t)
		}
	}
	r.last = true
	for range lastWrites {
		if r.damaged { // waiting mends nothing
			r.writable = time.Time{}
		}
		time.Sleep(time.Until(r.writable))
		r.turn(ctx)
		t := <-r.turned
		if r.kept(t); t.err == nil {
			return nil
		}
		if r.damaged {
			break
		}
	}
	if len(r.endings) == 0 {
		return nil
	}
	return errNotKept
}

var errNotKept = errors.New("mail: how the last letters ended could not be kept: they will be tried again")

// settlement is the rule of retrying and giving up: what becomes of a letter whose sending ended so.
func settlement(l db.Letter, r Result, now time.Time) db.Settlement {
	s := db.Settlement{Letter: l, State: db.LetterQueued, Due: l.Due, Reply: r.Reply}
	switch r.Outcome {
	case NotSent:
		s.Reply = l.Reply
	case Accepted:
		s.State = db.LetterAccepted
	case Rejected:
		s.State = db.LetterFailed
	case Deferred:
		s.Deferred = true
		s.Due = now.Add(backOff(l.Deferred))
		if s.Due.Sub(l.CreatedAt) > giveUpAfter {
			s.State, s.Reply = db.LetterNeedsAttention, "The mail server put it off for five days: "+r.Reply
		}
	case Uncertain:
		s.Uncertain = true
		s.Due = now.Add(backOff(l.Uncertain))
		if l.Uncertain+1 >= MaxUncertain {
			s.State, s.Reply = db.LetterNeedsAttention, "It was sent three times, and whether it arrived is not known: "+r.Reply
		}
	}
	return s
}

// TooLate says why a letter should not leave any more, and where that ends it; empty: it should. A reminder or a notice that
// comes too late has lost nothing that somebody could still see to.
func TooLate(l db.Letter, link db.Link, now time.Time) (why string, end db.LetterState) {
	end, last := db.LetterNeedsAttention, linkMustLast
	if l.Kind.Reminder() {
		end, last = db.LetterCancelled, ReminderMustLast
	}
	left := link.ExpiresAt.Sub(now)
	switch {
	case l.Kind.Notice() && now.Sub(l.CreatedAt) > noticeMustLeave:
		return "It waited for more than a day, and what it tells of is past.", db.LetterCancelled
	case now.Sub(l.CreatedAt) > giveUpAfter:
		return "It waited for more than five days.", end
	case l.LinkID == 0:
		return "", ""
	case l.Kind.Reminder() && left < last:
		return "Its link would soon expire.", end
	case left < min(last, link.ExpiresAt.Sub(link.CreatedAt)/2):
		return "It waited so long that its link would soon have expired.", end
	}
	return "", ""
}

// backOff is how long to wait after so many failures before: a minute, doubled each time up to an hour, and a fifth more or
// less, so that not all come back at once.
func backOff(failures int) time.Duration {
	d := longestWait
	if failures < 6 {
		d = min(d, shortestWait<<failures)
	}
	return d*4/5 + rand.N(d*2/5)
}
