package mail

// Explain turns a relay's reply into a plain sentence, and what to do about it. It never says more than is known.
func Explain(reply string) (meaning, advice string) {
	return "The mail server didn't take this letter.", "Its answer is shown here; whoever looks after the practice's mail can tell more."
}
