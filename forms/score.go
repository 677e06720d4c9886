package forms

import "slices"

// A Score is the sum of the ordinal values of what was chosen.
type Score struct {
	Total, Max int
	Band       string // how the total reads, e.g. "Moderate"; empty if the form names none
}

// Score adds up the chosen options' ordinal values (never their codes: copies of a
// questionnaire disagree on those). There is no score, and ok is false, where the form
// isn't scored or a scored item that is asked has no answer: a part of a sum misleads.
func (f *Form) Score(a Answers) (score Score, ok bool) {
	a = f.clean(a)
	enabled := f.enabled(a)
	for _, it := range f.all {
		if !it.scored() || !enabled[it.LinkID] {
			continue
		}
		if len(a[it.LinkID]) == 0 {
			return Score{}, false
		}
		ok = true
		best := 0
		for _, o := range it.Options {
			if slices.Contains(a[it.LinkID], o.Code) {
				score.Total += o.Ordinal
			}
			if it.Kind == Multiple {
				best += o.Ordinal
			} else {
				best = max(best, o.Ordinal)
			}
		}
		score.Max += best
	}
	for _, band := range f.Bands {
		if ok && score.Total >= band.From {
			score.Band = band.Label
		}
	}
	return score, ok
}

// Scored reports whether the form has anything to score.
func (f *Form) Scored() bool { return slices.ContainsFunc(f.all, (*Item).scored) }

func (it *Item) scored() bool { return len(it.Options) > 0 && it.Options[0].Scored }

// SafetyConcern reports whether an option is chosen that the definition marks as a
// safety concern: thoughts of being better off dead, say. It needs no complete form.
func (f *Form) SafetyConcern(a Answers) bool {
	a = f.clean(a)
	enabled := f.enabled(a)
	return slices.ContainsFunc(f.all, func(it *Item) bool {
		return enabled[it.LinkID] && it.concern(a[it.LinkID])
	})
}

func (it *Item) concern(values []string) bool {
	return slices.ContainsFunc(it.Options, func(o Option) bool {
		return o.Concern && slices.Contains(values, o.Code)
	})
}
