package practice

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// ErrBusy says that a list is being imported at the moment, and another has to wait.
var ErrBusy = errors.New("a list is being imported")

// ImportJob is an import on its way. It goes on when whoever began it leaves the page; with the program it ends, and then
// nothing was imported.
type ImportJob struct {
	author int64
	id     string
	rows   atomic.Int64
	steps  atomic.Int64 // each row is judged, and then written
	done   chan struct{}
	result Import
	err    error
}

// begins tells how many rows there are; a nil job isn't watched.
func (j *ImportJob) begins(rows int) {
	if j != nil {
		j.rows.Store(int64(rows))
	}
}

func (j *ImportJob) step() {
	if j != nil {
		j.steps.Add(1)
	}
}

// Done is closed when the import is over.
func (j *ImportJob) Done() <-chan struct{} { return j.done }

// Over tells that the import is over.
func (j *ImportJob) Over() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// Progress is how many of the file's rows are done, of how many; both are 0 until the file is read.
func (j *ImportJob) Progress() (done, of int) {
	return int(j.steps.Load() / 2), int(j.rows.Load())
}

// Result is the import as it ended, and the error that StartImport names; only once it is over.
func (j *ImportJob) Result() (Import, error) { return j.result, j.err }

// StartImport begins to import a file that the administrator brought, and doesn't wait for it: all its rows, or only the good ones.
// Every row is judged again in the transaction that adds the clients. With a problem in any row, all rows means none: the job's
// result is Invalid and the import as it stands now, or ErrNotFound when the file isn't there any more. One list at a time: ErrBusy
// while another is imported. ErrConfirm, where it changes clients who are here.
func (p *Practice) StartImport(ctx context.Context, by Administrator, id string, choices ImportChoices, goodOnly bool) (*ImportJob, error) {
	if !by.administers() {
		return nil, ErrNotAllowed
	}
	if choices.Update { // others' addresses too
		if err := by.confirmed(p.Now()); err != nil {
			return nil, err
		}
	}
	job := &ImportJob{author: by.member.ID, id: id, done: make(chan struct{})}
	if before := p.importJob.Load(); before != nil && !before.Over() || !p.importJob.CompareAndSwap(before, job) {
		return nil, ErrBusy
	}
	go func() {
		defer close(job.done)
		defer func() {
			if fault := recover(); fault != nil { // in no request's goroutine: it would end the program
				job.err = fmt.Errorf("import: %v", fault)
			}
		}()
		job.result, job.err = p.applyImport(context.WithoutCancel(ctx), by, id, choices, goodOnly, job)
	}()
	return job, nil
}

// ImportJob returns the import of a file that an administrator began; nil when it is not on its way, which it isn't after
// the program was started anew. ErrNotFound when the file isn't there either.
func (p *Practice) ImportJob(ctx context.Context, by Administrator, id string) (*ImportJob, error) {
	if job := p.importJob.Load(); job != nil && job.author == by.member.ID && job.id == id {
		return job, nil
	}
	_, err := p.CheckImport(ctx, by, id, ImportChoices{})
	return nil, err
}
