package handlers

import (
	"strings"
	"testing"

	"anteroom/db"
	"anteroom/practice"
)

// The table tells the whole truth: for whatever role and permissions, what a cell says alone, or with one of them, is how far
// the right goes.
func TestRightsTable(t *testing.T) {
	s := newSite(t)
	page := s.as("Olga").get("/organization/permissions").want(200, "Who may do what", "What each permission adds")
	rows := page.doc.Find("table").First().Find("tbody tr")
	if rows.Length() != len(practice.Rights) {
		t.Fatalf("%d rows", rows.Length())
	}
	for i, right := range practice.Rights {
		row := rows.Eq(i)
		if rightWords[right].what == "" || row.Find("th").Text() != rightWords[right].what {
			t.Errorf("%s: %q", right, row.Find("th").Text())
		}
		for j, role := range practice.Roles {
			says := strings.Join(strings.Fields(row.Find("td").Eq(j).Text()), " ")
			for set := range 1 << len(practice.Permissions) {
				var permissions []db.Permission
				want := extentWords(right, practice.ExtentOf(role, nil, right))
				for n, p := range practice.Permissions {
					if set&(1<<n) == 0 {
						continue
					}
					permissions = append(permissions, p)
					if with := extentWords(right, practice.ExtentOf(role, []db.Permission{p}, right)); strings.Contains(says, with+", with "+permissionWords[p]) {
						want = with
					}
				}
				if is := extentWords(right, practice.ExtentOf(role, permissions, right)); is != want {
					t.Errorf("%s, %s with %q: it is %q, the cell says %q", right, role, permissions, is, says)
				}
				if len(permissions) == 0 && want != "No" && !strings.HasPrefix(says, want) {
					t.Errorf("%s, %s: the cell says %q, not %q", right, role, says, want)
				}
			}
		}
	}
	for text, there := range map[string]bool{
		"Assigned clients, with Can invite clients to the client portal and manage intake forms": true,
		"All clients, with Can read completed forms":                                             true,
		"Yes, with Can add and edit clients":                                                     true,
		"Nothing: they may do so for assigned clients anyway":                                    true,
		"You": false,
	} {
		if strings.Contains(page.main(), text) != there {
			t.Errorf("%q there: %v", text, !there)
		}
	}
}

func TestOwnRights(t *testing.T) {
	s := newSite(t)
	const path = "/what-you-may-do"
	for who, want := range map[string][]string{
		"Olga": {"with the role Administrator. An", "All clients Yes All clients All clients All clients Yes"},
		"Tom":  {"Therapist and the permission Can invite clients", "Assigned clients Yes: a client they add is assigned to them Assigned clients Assigned clients Assigned clients No"},
		"Tess": {"Therapist and no further permission", "Assigned clients Yes: a client they add is assigned to them Assigned clients No Assigned clients No"},
		"Finn": {"Staff and no further permission", "All clients No No No No No"},
	} {
		a := s.as(who).get(path).want(200, "What you may do", "Your role", want[0])
		var yours []string
		for i := range practice.Rights {
			yours = append(yours, a.doc.Find("tbody").First().Find("tr").Eq(i).Find("td").First().Text())
		}
		if got := strings.Join(yours, " "); got != want[1] {
			t.Errorf("%s: %s", who, got)
		}
	}
	s.as("Finn").get("/clients").want(200, "What you may do")
	s.as("Mia").get(path).want(404)
	s.as("").get(path).want(303)
}
