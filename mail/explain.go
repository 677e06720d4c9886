package mail

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Explain turns a relay's reply, or what we keep in its place, into a plain sentence for whoever invites clients, and what to
// do about it. It never says more than the reply does.
func Explain(reply string) (meaning, advice string) {
	if e, ok := explained(reply); ok {
		return e.meaning, e.advice
	}
	return couldNot, asItCame
}

// explained is the row of the table that a reply falls into.
func explained(reply string) (explanation, bool) {
	class, basic, enhanced := replyCode(reply)
	said := strings.ToLower(reply)
	at := slices.IndexFunc(explanations, func(e explanation) bool { return e.fits(class, basic, enhanced, said) })
	if at < 0 {
		return explanation{}, false
	}
	return explanations[at], true
}

const (
	couldNot = "The letter couldn't be handed over."
	asItCame = "The answer is shown as it came; whoever looks after the practice's mail can tell more."
)

// Words is what a mail server said in a reply or within a sentence of ours: it begins with a number. Empty: it said nothing.
func Words(reply string) string {
	at := codeAt.FindStringSubmatchIndex(reply)
	if at == nil {
		return ""
	}
	return reply[at[2]:]
}

// ExplainTest does what Explain does for a letter with which the settings are tested and that wasn't accepted: the advice is for
// whoever can change them, on the page where they are.
func ExplainTest(s Settings, r Result) (meaning, advice string) {
	reply := r.Reply
	if r.Trouble != nil {
		reply = r.Trouble.Reason
	}
	said := Words(reply)
	switch {
	case reply == "":
		return "The mail server didn't answer in time, so the test was ended.",
			"Check its name and port. If they are right, ask whoever looks after this server whether it may connect to that port."
	case strings.HasPrefix(reply, unreached) && said == "":
		meaning, advice = fmt.Sprintf("We couldn't reach %s at port %d.", s.Host, s.Port), "Check the server's name and the port."
		if strings.Contains(reply, errSilent.Error()) && s.Security != ImplicitTLS { // it may wait for us to begin with TLS
			advice += " If they are right, try “TLS from the start”."
		}
		return meaning, advice
	case strings.HasPrefix(reply, unreached):
		return fmt.Sprintf("%s answered at port %d, and takes no letters from us now.", s.Host, s.Port), asItCame
	case strings.HasPrefix(reply, strangers):
		return fmt.Sprintf("What answers at %s, port %d, isn't a mail server, or expects encryption from the start.", s.Host, s.Port),
			"Try “TLS from the start”, or check the server's name and the port."
	case strings.HasPrefix(reply, insecure):
		meaning = "The connection isn't safe, so nothing was sent."
		switch {
		case strings.Contains(reply, noSTARTTLS):
			return meaning, "Try “TLS from the start”, usual on port 465, or check the port."
		case strings.Contains(reply, noTLS):
			return meaning, "Try “STARTTLS”, usual on port 587, or check the port."
		}
		return meaning, "Check the server's name: its certificate has to be made out to it. If the name is right, whoever runs the mail server has to mend the certificate."
	}
	e, ok := explained(reply)
	meaning = yours.Replace(e.meaning)
	switch {
	case !ok:
		return couldNot, asItCame
	case e.test == checkSignIn && s.OAuth != nil:
		return meaning, "Check the user name, the client ID, the client secret and the refresh token."
	case e.test != "":
		return meaning, e.test
	case strings.HasPrefix(reply, unwelcome):
		return "The mail server takes no letters from the From address.", checkFrom
	case r.Outcome == Rejected:
		return meaning, "Check the address that the test went to. " + asItCame
	case r.Outcome == Deferred:
		return meaning, "Try again in some minutes."
	}
	return meaning, asItCame
}

// yours: a test goes to no client.
var yours = strings.NewReplacer("The client's", "Your own", "the client's", "your own")

var (
	// A code stands at the beginning, or where we quote a reply.
	codeAt     = regexp.MustCompile(`(?:^|: )([245]\d\d)(?:[ -]+#?([245]\.\d{1,3}\.\d{1,3}))?(?:[ :]|$)`)
	enhancedAt = regexp.MustCompile(`(?:^|[\s(#])([245]\.\d{1,3}\.\d{1,3})(?:[\s):;]|$)`)
)

// replyCode finds a reply's code (RFC 5321), and what follows the class in its enhanced one (RFC 3463).
func replyCode(reply string) (class byte, basic, enhanced string) {
	if m := codeAt.FindStringSubmatch(reply); m != nil {
		class, basic, enhanced = m[1][0], m[1], m[2]
	}
	if m := enhancedAt.FindStringSubmatch(reply); m != nil && enhanced == "" {
		enhanced = m[1]
	}
	if enhanced != "" {
		if class == 0 {
			class = enhanced[0]
		}
		enhanced = enhanced[2:]
	}
	return class, basic, enhanced
}

// explanation is one row of the table: the first that fits is given.
type explanation struct {
	class           byte                  // 2, 4 or 5; 0: any
	codes           string                // basic and enhanced ones without their class, one of which it must be; empty: any
	said            func() *regexp.Regexp // empty: anything
	meaning, advice string
	test            string // advice to whoever tests the settings, beside them; empty: nothing special
}

func (e explanation) fits(class byte, basic, enhanced, said string) bool {
	if e.class != 0 && e.class != class {
		return false
	}
	if e.codes != "" {
		codes := strings.Fields(e.codes)
		if !slices.Contains(codes, basic) && !slices.Contains(codes, enhanced) {
			return false
		}
	}
	return e.said == nil || e.said().MatchString(said)
}

const (
	byItself    = "A letter that is still queued is tried again by itself; one that isn't can be sent again."
	respell     = "Check the spelling with the client, correct the address, and send again."
	another     = "Ask the client for another address, or to clear this up with their mail provider."
	lookAtUs    = "Look at Organization → Mail; whoever looks after the practice's mail can help. Nothing is wrong with the client's address."
	atOurDomain = "Organization → Mail shows what is missing from the practice's domain (SPF, DKIM, DMARC); whoever looks after the domain can add it. Nothing is wrong with the client's address."
)

// Advice to whoever tests the settings.
const (
	checkSignIn = "Check the user name and the password, or what stands in their place."
	checkFrom   = "Check the From address: the user who signs in has to be allowed to send with it."
	checkLimit  = "Wait until tomorrow, or ask the mail provider for a higher limit."
	askProvider = "Only the mail provider can end that: ask them why."
	checkDomain = "Check the domain shows what is missing from it (SPF, DKIM, DMARC); whoever looks after the domain can add it."
)

// phrases are read when they are first asked for: they cost the start of the program what few runs of it need.
func phrases(s ...string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(strings.Join(s, "|")) })
}

var explanations = []explanation{
	{class: '2', meaning: "The mail server took the letter.", advice: "Whether the client has seen it nobody can know; opening the link or joining shows it."},

	// What we keep when there is no reply.
	{said: phrases(`^no clear reply came after the letter`, `^the program stopped while this letter`, `whether it arrived is not known`),
		meaning: "The letter was sent, and no clear answer came: it may have arrived, or not.", advice: "Ask the client, or send again. Letters that a mail server got twice are the same, with the same link.", test: "Look whether it arrived before you send another."},
	{said: phrases(`^the connection to the mail (relay|server) broke`, `too slow to take the letter`),
		meaning: "The connection broke before the letter was handed over.", advice: byItself},
	{said: phrases(`takes only addresses in plain letters`),
		meaning: "Our mail server can't write to an address with letters such as é or ü before the @.", advice: "Ask the client for an address in plain letters."},
	{said: phrases(`^the letter has \d+ kb, and`),
		meaning: "The letter is larger than our mail server takes.", advice: "Use a smaller logo or a shorter message, and send again.", test: "Use a smaller logo."},
	{said: phrases(`can't be made secure`),
		meaning: "The connection to our mail server isn't safe, so nothing was sent.", advice: lookAtUs},
	{said: phrases(`^the address that gives out access tokens`),
		meaning: "The address that gives out access tokens doesn't answer.", advice: lookAtUs, test: "Check the token address."},
	{said: phrases(`no longer lets us sign in`, `doesn't know our client id`, `doesn't let our application sign in`, `access token`, `offers no way to sign in`),
		meaning: "Our mail server doesn't let us sign in.", advice: lookAtUs, test: checkSignIn},

	// About us: no letter's fault.
	{codes: "530 534 535 538", meaning: "Our mail server doesn't let us sign in.", advice: lookAtUs, test: checkSignIn},
	{codes: "4.5", said: phrases(`sending`, `daily`, `quota`, `limit`),
		meaning: "The practice's mail account has sent all it may send for now.", advice: "Wait until tomorrow, or look at the limits under Organization → Mail.", test: checkLimit},
	{said: phrases(`sending limit`, `sending quota`, `submissionquotaexceeded`, `submission quota`),
		meaning: "The practice's mail account has sent all it may send for now.", advice: "Wait until tomorrow, or look at the limits under Organization → Mail.", test: checkLimit},
	{class: '5', codes: "1.7 1.8 2.252 7.60", meaning: "Our mail server doesn't let us send from the practice's address.", advice: lookAtUs, test: checkFrom},
	{class: '5', codes: "7.501 7.502 7.503 7.705 7.708 7.750", meaning: "The mail provider has blocked the practice's account or domain from sending.", advice: lookAtUs, test: askProvider},
	{said: phrases(`relay access denied`, `relaying denied`, `relaying not (allowed|permitted)`, `relay not permitted`, `unable to relay`, `not permitted to relay`, `basic authentication is (disabled|not supported)`),
		meaning: "Our mail server doesn't send this letter for us.", advice: lookAtUs, test: checkSignIn},

	{class: '4', codes: "7.28", meaning: "The mail server takes no more letters from us for a while.", advice: byItself},

	// The practice's domain isn't vouched for. Providers use the same numbers for SPF, DKIM and DMARC in their own ways.
	{codes: "7.20 7.21 7.22 7.23 7.24 7.26 7.27 7.32 7.509 7.515", meaning: "The client's mail provider can't tell that the letter really comes from the practice's domain.", advice: atOurDomain, test: checkDomain},
	{said: phrases(`\bspf\b`, `\bdkim\b`, `\bdmarc\b`, `unauthenticated (email|mail)`, `domain'?s? authentication`),
		meaning: "The client's mail provider can't tell that the letter really comes from the practice's domain.", advice: atOurDomain, test: checkDomain},

	// Later.
	{class: '4', said: phrases(`gr[ea]y-?list`, `try again (later|in)`, `come back later`),
		meaning: "The client's mail server asks us to come back later. Many do so with senders they don't know yet.", advice: "It usually works within an hour. " + byItself},
	{class: '4', codes: "2.2", meaning: "The client's mailbox is full.", advice: "Tell the client in another way. " + byItself},
	{class: '4', said: phrases(`over ?quota`, `quota exceeded`, `mailbox (is )?full`, `out of storage`),
		meaning: "The client's mailbox is full.", advice: "Tell the client in another way. " + byItself},
	{class: '4', codes: "1.1", meaning: "The client's mail server can't say yet whether this mailbox exists.", advice: "Check the spelling. " + byItself},
	{class: '4', codes: "1.2 4.4", meaning: "The client's mail server can't be found at the moment.", advice: "Check what stands after the @. " + byItself},
	{class: '4', codes: "2.1", meaning: "The client's mailbox takes no letters at the moment.", advice: byItself},
	{class: '4', said: phrases(`too many (messages|connections|recipients)`, `rate limit`, `unusual rate`, `temporarily (deferred|rate)`, `throttl`),
		meaning: "The mail server takes no more letters from us for a while.", advice: byItself},
	{class: '4', meaning: "The mail server couldn't take the letter at that moment.", advice: byItself},

	// Never, because of the letter.
	{class: '5', codes: "2.3 3.4", meaning: "The letter is larger than the client's mail server takes.", advice: "Use a smaller logo or a shorter message, and send again.", test: "Use a smaller logo."},
	{class: '5', said: phrases(`message (size )?(exceeds|too (large|big))`, `message is too (large|big)`, `size limit`, `exceeds (the )?(maximum|fixed)`),
		meaning: "The letter is larger than the client's mail server takes.", advice: "Use a smaller logo or a shorter message, and send again.", test: "Use a smaller logo."},
	// Never, because of the address. Some servers use one number for many things: their words come first.
	{class: '5', said: phrases(`over ?quota`, `quota exceeded`, `mailbox (is )?full`, `out of storage`), meaning: "The client's mailbox is full.", advice: "Tell the client in another way, and send again once there is room."},
	{class: '5', codes: "2.2", meaning: "The client's mailbox is full.", advice: "Tell the client in another way, and send again once there is room."},
	{class: '5', said: phrases(`null ?mx`, `does(n't| not) accept (e?mail|any mail)`, `nullmx`),
		meaning: "What stands after the @ takes no mail at all.", advice: respell},
	{class: '5', codes: "1.2 4.4 4.310", meaning: "What stands after the @ doesn't exist, or takes no mail.", advice: respell},
	{class: '5', said: phrases(`domain (name )?(not found|does not exist|doesn't exist)`, `host or domain name not found`, `no such domain`, `host unknown`, `unrouteable mail domain`, `bad destination (host|mailbox domain)`),
		meaning: "What stands after the @ doesn't exist, or takes no mail.", advice: respell},
	{class: '5', codes: "1.1 1.10", meaning: "This mailbox doesn't exist.", advice: respell},
	{class: '5', said: phrases(`(account|mailbox|user)( is| has been)? (disabled|suspended|inactive|deactivated)`, `(disabled|suspended|inactive) (account|mailbox|user)`, `account (that you tried to reach )?is (disabled|inactive)`),
		meaning: "The client's mailbox is switched off.", advice: another},
	{class: '5', codes: "2.1", meaning: "The client's mailbox takes no letters: it may be switched off.", advice: another},
	{class: '5', said: phrases(`user unknown`, `unknown user`, `no such (user|recipient|mailbox|person)`, `(user|recipient|mailbox|account|address)( name)? (does(n't| not) exist|not found|unknown)`, `no mailbox( here)? by that name`,
		`invalid (recipient|mailbox)`, `unrouteable address`, `doesn't have a \S+ account`, `not a valid (mailbox|user|recipient)`, `mailbox unavailable`, `unknown (local[ -]?part|recipient|mailbox)`, `recipient rejected`),
		meaning: "The mail server has no such mailbox.", advice: respell},
	{class: '5', codes: "1.3", meaning: "The mail server can't read this address.", advice: "Look for a dot, a comma or a letter too many. " + respell},
	{class: '5', codes: "1.6", meaning: "The client's mailbox has moved to another address.", advice: "Ask the client for the new address."},
	{class: '5', codes: "4.1", meaning: "The client's mail server takes no letters for this address.", advice: respell},
	{class: '5', codes: "4.6 4.14", meaning: "At the client's mail provider, letters to this address go round in circles.", advice: another},
	{class: '5', codes: "4.7", meaning: "The client's mail server couldn't be reached for days.", advice: another},
	// Never, because of a rule.
	{class: '5', codes: "7.12 7.124 7.129 7.133 7.134", meaning: "This mailbox takes letters from certain senders only.", advice: another},
	{class: '5', said: phrases(`\bspam\b`, `unsolicited`, `block(ed| ?list)`, `black ?list`, `spamhaus`, `barracuda`, `reputation`, `\brbl\b`, `dnsbl`),
		meaning: "The client's mail provider takes the letter, or our mail server, for unwanted mail.", advice: "Reach the client in another way. If others meet this too: " + atOurDomain, test: checkDomain},
	{class: '5', codes: "7.25", meaning: "The client's mail server doesn't trust our mail server.", advice: lookAtUs, test: askProvider},
	{class: '5', codes: "7.0 7.1 7.2 7.9", meaning: "The mail server refused the letter by one of its rules, and doesn't say which.", advice: "Ask the client for another address, or reach them in another way. If others meet this too, look at Organization → Mail."},
	{class: '5', said: phrases(`policy`, `not (allowed|permitted|authori[sz]ed)`, `access denied`, `prohibited`, `administrative`),
		meaning: "The mail server refused the letter by one of its rules, and doesn't say which.", advice: "Ask the client for another address, or reach them in another way. If others meet this too, look at Organization → Mail."},
	{class: '5', codes: "500 501 502 503 504 555 5.1 5.2 5.4 6.0 6.1 6.3 6.7", meaning: "The mail servers didn't understand each other.", advice: "Whoever looks after the practice's mail can tell more from the answer as it came."},
	{class: '5', meaning: "The mail server refused the letter.", advice: "Check the address with the client. The answer is shown as it came; whoever looks after the practice's mail can tell more."},
}
