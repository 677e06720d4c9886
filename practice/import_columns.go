package practice

import (
	"strings"
	"unicode"

	"anteroom/db"
)

// ImportField is what a column of an imported file holds.
type ImportField string

const (
	ImportNothing       ImportField = ""
	ImportFirstName     ImportField = "first_name"
	ImportLastName      ImportField = "last_name"
	ImportName          ImportField = "name"
	ImportPreferredName ImportField = "preferred_name"
	ImportDateOfBirth   ImportField = "date_of_birth"
	ImportPhone         ImportField = "phone"
	ImportEmail         ImportField = "email"
	ImportTherapist     ImportField = "therapist"
	ImportPronouns      ImportField = "pronouns"
	ImportGuardian      ImportField = "guardian"
	ImportLanguage      ImportField = "language"
	ImportMayEmail      ImportField = "may_email"
	ImportTags          ImportField = "tags"
	ImportNotes         ImportField = "notes"
)

// ImportFields are the fields that a column can hold, in the order in which they are offered.
var ImportFields = []struct {
	Field ImportField
	Label string
}{
	{ImportNothing, "Leave out"},
	{ImportFirstName, "Legal first name"},
	{ImportLastName, "Legal last name"},
	{ImportName, "Full name"},
	{ImportPreferredName, "Preferred name"},
	{ImportDateOfBirth, "Date of birth"},
	{ImportPhone, "Phone"},
	{ImportEmail, "Email"},
	{ImportTherapist, "Therapist"},
	{ImportPronouns, "Pronouns"},
	{ImportGuardian, "Guardian"},
	{ImportLanguage, "Language"},
	{ImportMayEmail, "May we email this client?"},
	{ImportTags, "Tags"},
	{ImportNotes, "Notes"},
}

// columnSynonyms are the names by which practice systems export a field, the surest first.
var columnSynonyms = map[ImportField][]string{
	ImportFirstName: {"legal first name", "client first name", "patient first name", "first name", "firstname", "first", "given name", "given names", "forename", "fname"},
	ImportLastName:  {"legal last name", "client last name", "patient last name", "last name", "lastname", "last", "surname", "family name", "lname"},
	ImportName: {"legal name", "full legal name", "client name", "patient name", "full name", "name", "client", "patient", "client full name", "patient full name",
		"display name", "last name first name", "last first"},
	ImportPreferredName: {"preferred name", "preferred first name", "chosen name", "name they go by", "goes by", "nickname", "nick name", "known as", "preferred", "aka"},
	ImportDateOfBirth:   {"date of birth", "dob", "birth date", "birthdate", "birthday", "date of birth dob", "client dob", "patient dob", "client date of birth", "patient date of birth", "born"},
	ImportPhone: {"mobile phone", "mobile", "mobile phone number", "mobile number", "cell phone", "cell", "cell phone number", "cellphone", "primary phone", "phone", "phone number",
		"client phone", "patient phone", "main phone", "telephone", "tel", "contact number", "phone 1", "home phone", "home phone number", "work phone", "other phone"},
	ImportEmail: {"email", "e mail", "email address", "e mail address", "client email", "client email address", "patient email", "patient email address", "primary email",
		"primary email address", "email 1", "emails", "contact email", "home email", "personal email", "e mail 1 value", "work email"},
	ImportTherapist: {"therapist", "primary therapist", "therapist name", "assigned therapist", "clinician", "primary clinician", "clinician name", "assigned clinician", "provider",
		"primary provider", "rendering provider", "provider name", "counselor", "counsellor", "practitioner", "primary practitioner", "primary counselor", "assigned to", "assigned staff", "therapists", "clinicians"},
	ImportPronouns: {"pronouns", "gender pronouns", "preferred pronouns", "client pronouns"},
	ImportGuardian: {"guardian", "guardian name", "parent guardian", "parent or guardian", "parent name", "responsible party", "legal guardian", "parent"},
	ImportLanguage: {"language", "preferred language", "primary language", "language spoken", "spoken language"},
	ImportMayEmail: {"may be emailed", "may we email this client", "may email", "ok to email", "email ok", "allow email", "email allowed", "email consent", "email opt in", "consent to email", "email permission"},
	ImportTags:     {"tags", "tag", "labels", "client tags", "groups"},
	ImportNotes:    {"notes", "note", "client notes", "comments", "administrative notes", "admin notes"},
}

// columnNames finds the field of a column's name, and how sure it is: the lower the rank, the surer.
var columnNames = func() map[string]struct {
	field ImportField
	rank  int
} {
	names := map[string]struct {
		field ImportField
		rank  int
	}{}
	for field, synonyms := range columnSynonyms {
		for rank, name := range synonyms {
			names[name] = struct {
				field ImportField
				rank  int
			}{field, rank}
		}
	}
	return names
}()

// columnKey is a column's name as the synonyms are written: small letters and digits, words apart by one space.
func columnKey(name string) string {
	return strings.Join(strings.FieldsFunc(db.SearchFold(strings.ReplaceAll(name, "'s", "")), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), " ")
}

// guessColumns guesses what each column holds, by its name. Of several that may hold a field the surest does; a full name
// is only used where the first and the last have no columns of their own.
func guessColumns(header []string) []ImportField {
	guess := make([]ImportField, len(header))
	best := map[ImportField]int{} // the column, from 1
	rank := map[ImportField]int{}
	for i, name := range header {
		known, ok := columnNames[columnKey(name)]
		if !ok {
			continue
		}
		if best[known.field] == 0 || known.rank < rank[known.field] {
			best[known.field], rank[known.field] = i+1, known.rank
		}
	}
	if best[ImportFirstName] != 0 && best[ImportLastName] != 0 {
		delete(best, ImportName)
	} else if best[ImportName] != 0 {
		delete(best, ImportFirstName)
		delete(best, ImportLastName)
	}
	for field, column := range best {
		if column != 0 {
			guess[column-1] = field
		}
	}
	return guess
}
