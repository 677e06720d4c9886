package practice

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"anteroom/db"
)

// StaffStates are those in which a staff member can be, in the order in which they pass through them.
var StaffStates = []StaffState{StaffInvited, StaffActive, StaffDisabled}

// StaffOrder is what a list of staff is ordered by; then, as by itself, by name, those who are disabled last.
type StaffOrder string

const (
	StaffByName      StaffOrder = ""
	StaffByNameDown  StaffOrder = "name-down"
	StaffByRole      StaffOrder = "role"
	StaffByRoleDown  StaffOrder = "role-down"
	StaffByState     StaffOrder = "state"
	StaffByStateDown StaffOrder = "state-down"
)

// StaffQuery says which staff members a list shows, and in which order. The zero value is everybody.
type StaffQuery struct {
	Words string // every one of them is in the name or the address
	Role  db.Role
	State StaffState
	Order StaffOrder
}

// Filtered tells that the list leaves somebody out.
func (q StaffQuery) Filtered() bool { return q.Words != "" || q.Role != "" || q.State != "" }

func (q StaffQuery) lets(m StaffMember) bool {
	if q.Role != "" && m.Role != q.Role || q.State != "" && m.State() != q.State {
		return false
	}
	text := db.SearchFold(m.Name + " " + m.Email.String())
	for _, word := range strings.Fields(db.SearchFold(q.Words)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

func (q StaffQuery) compare(a, b ListedStaff) int {
	by, down := strings.CutSuffix(string(q.Order), "-down")
	var n int
	switch StaffOrder(by) {
	case StaffByRole:
		n = slices.Index(Roles, a.Role) - slices.Index(Roles, b.Role)
	case StaffByState:
		n = slices.Index(StaffStates, a.State()) - slices.Index(StaffStates, b.State())
	default:
		if gone := !a.DisabledAt.IsZero(); gone == b.DisabledAt.IsZero() { // one of them
			if gone {
				return 1
			}
			return -1
		}
		n = byName(a, b)
	}
	if down {
		n = -n
	}
	return cmp.Or(n, byName(a, b))
}

func byName(a, b ListedStaff) int {
	return cmp.Or(strings.Compare(db.SearchFold(a.Name), db.SearchFold(b.Name)), cmp.Compare(a.ID, b.ID))
}

// StaffPage is one page of the staff members whom a list shows.
type StaffPage struct {
	Rows   []ListedStaff
	Total  int
	Number int // from 1
}

// FindStaff finds a page of the staff members whom a query lets through; administrators may. A page after the last is the
// last. A practice has hundreds of staff at most, so they are read and sorted here.
func (p *Practice) FindStaff(ctx context.Context, by Administrator, q StaffQuery, page int) (found StaffPage, err error) {
	q.Words = q.Words[:min(len(q.Words), maxQuery)]
	all, err := p.AllStaff(ctx, by)
	if err != nil {
		return found, err
	}
	all = slices.DeleteFunc(all, func(m ListedStaff) bool { return !q.lets(m.StaffMember) })
	slices.SortFunc(all, q.compare)
	found.Total = len(all)
	found.Number = min(max(page, 1), max((len(all)+PageSize-1)/PageSize, 1))
	from := (found.Number - 1) * PageSize
	found.Rows = all[from:min(from+PageSize, len(all))]
	return found, nil
}
