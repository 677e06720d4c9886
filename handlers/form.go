package handlers

import "anteroom/practice"

// mistake is one line of the summary above a form whose answers need a second look.
type mistake struct {
	Field    string // the id of its input
	Label    string
	Sentence string
}

// mistakes orders what is wrong as the form has it: each field by its id and label.
func mistakes(wrong practice.Invalid, fields ...[2]string) (all []mistake) {
	for _, f := range fields {
		if sentence := wrong[f[0]]; sentence != "" {
			all = append(all, mistake{f[0], f[1], sentence})
		}
	}
	return all
}
