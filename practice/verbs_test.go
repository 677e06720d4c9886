package practice

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// asksForProof are the verbs that write, of whoever is signed in, which ask for a fresh proof of who they are (of PauseOutbox and
// ResumeOutbox, which are one, the latter; of ChangeClient and StartImport, for some changes).
var asksForProof = []string{
	"AddPasskey", "AddStaff", "AssignChosen", "AssignClient", "ChangeClient", "ChangeMail", "ChangeStaff", "ChangeStaffEmail",
	"AskForAddress", "DeleteClient", "DisableStaff", "EnableStaff", "EnrolAuthenticator", "ExportAudit", "ExportClients", "ExportForms",
	"ExportSendings", "ExportStates", "ForgetMail", "NewRecoveryCodes", "PauseOutbox", "RemoveAuthenticator", "RemoveClientStep",
	"ReleaseAddress", "RemovePasskey", "RemoveStaffStep", "RequireStep", "ResumeOutbox", "RotateKey", "StartImport",
}

// asksForNone are those that don't: they take nobody's data out, and give nobody more than they had; or, like ChangePassword,
// they take the password itself.
var asksForNone = []string{
	"AddClient", "ArchiveChosen", "ArchiveClient", "AuditLog", "CancelLetter", "CancelLetters",
	"ChangeDefaultMessage", "ChangeLogo", "ChangeMessage", "ChangeOrganization", "ChangePassword", "ChangePortal",
	"ChangeReminders", "ChangeSelection", "CheckAudit", "ClientToEdit", "Confirm", "DropImport", "DropOwnMessage", "ExportForm",
	"KeepImport", "LetterDetails", "LiftAddressMarks", "MarkBounced", "OpenClient", "OpenForm", "ReadForm",
	"RemoveLogo", "RenamePasskey", "Resend", "ResendAddressLink", "ResendChosen", "ResendJoin", "RestoreClient", "RetryLetter",
	"RetryLetters", "ReviewForm", "RevokeForm", "RevokeInvitation", "SaveAnswers", "SaveDraft", "Send", "SendTestLetter",
	"SignClientOut", "SignOutAt", "SignOutElsewhere", "SignOutEverywhere", "SignStaffOut", "StartClientDraft", "SubmitForm",
	"TurnPortal", "TurnPortalOff", "TurnPortalOn", "TurnReminders", "WithdrawAddress",
}

// Of each verb that writes, somebody has decided whether it asks for a fresh proof.
func TestEachVerbThatWritesIsDecidedOn(t *testing.T) {
	asks := verbs(t)
	for name, proof := range asks {
		if slices.Contains(asksForProof, name) != proof || slices.Contains(asksForNone, name) == proof {
			t.Errorf("%s asks for a fresh proof: %v; say in this test whether it should", name, proof)
		}
	}
	if n := len(asksForProof) + len(asksForNone); n != len(asks) {
		t.Errorf("%d verbs are decided on, and there are %d", n, len(asks))
	}
}

// verbs are the public verbs that write, of whoever is signed in, by what the source says: each with whether it asks for a fresh
// proof, by itself or by a function of this package that it calls.
func verbs(t *testing.T) (asks map[string]bool) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls, public := map[string][]string{}, map[string]bool{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			name := f.Name.Name
			ast.Inspect(f.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					switch of := n.X.(type) {
					case *ast.Ident:
						if of.Name == "p" || n.Sel.Name == "confirmed" {
							calls[name] = append(calls[name], n.Sel.Name)
						}
					case *ast.SelectorExpr:
						if of.Sel.Name == "db" && n.Sel.Name == "Update" {
							calls[name] = append(calls[name], "db.Update")
						}
					}
				case *ast.CallExpr:
					if called, ok := n.Fun.(*ast.Ident); ok {
						calls[name] = append(calls[name], called.Name)
					}
				}
				return true
			})
			for _, param := range f.Type.Params.List {
				if kind, ok := param.Type.(*ast.Ident); ok && f.Recv != nil && f.Name.IsExported() && slices.Contains([]string{"Administrator", "Staff", "Client", "Person"}, kind.Name) {
					public[name] = true
				}
			}
		}
	}
	var reaches func(from, to string, seen map[string]bool) bool
	reaches = func(from, to string, seen map[string]bool) bool {
		if from == to {
			return true
		}
		if seen[from] {
			return false
		}
		seen[from] = true
		return slices.ContainsFunc(calls[from], func(next string) bool { return reaches(next, to, seen) })
	}
	asks = map[string]bool{}
	for name := range public {
		if reaches(name, "db.Update", map[string]bool{}) {
			asks[name] = reaches(name, "confirmed", map[string]bool{})
		}
	}
	return asks
}
