// Passkeys: a <button data-passkey="/where/to/ask" hidden> in a form asks the browser for one, puts its answer into the hidden
// field before it, and posts the form. app.js loads this only where there is such a button; without script it stays hidden.

const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), letter => letter.charCodeAt(0))
const text = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')

// Browsers and password managers learnt at different times to read and write JSON themselves, so none is asked to.
const keys = list => list?.map(key => ({ ...key, id: bytes(key.id) }))
const readable = asked => ({
  ...asked,
  challenge: bytes(asked.challenge),
  ...(asked.user ? { user: { ...asked.user, id: bytes(asked.user.id) }, excludeCredentials: keys(asked.excludeCredentials) }
    : { allowCredentials: keys(asked.allowCredentials) }),
})
const written = ({ type, id, rawId, response }) => {
  const parts = { transports: response.getTransports?.() }
  for (const part of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
    if (response[part]) parts[part] = text(response[part])
  }
  return JSON.stringify({ type, id, rawId: text(rawId), response: parts })
}

class Refused extends Error {}

// ask returns what the site wants of the browser. Whoever isn't signed in any more is led to where they can.
const ask = async button => {
  const answer = await fetch(button.dataset.passkey, { method: 'POST', headers: { Accept: 'application/json' } })
  if (answer.redirected) {
    location.assign(answer.url)
    throw new DOMException('', 'AbortError')
  }
  const asked = await answer.json().catch(() => ({ error: 'That didn’t work. Reload this page and try again.' }))
  if (asked.error) throw new Refused(asked.error)
  return asked
}

const sentences = {
  AbortError: '',
  NotAllowedError: 'No passkey was used: that was cancelled, or took too long. Try again, or take another way.',
  InvalidStateError: 'This device has a passkey for you already. Use that one, or choose another device.',
  NotSupportedError: 'This device can’t make a passkey that asks who you are. Set up a screen lock or a PIN on it, or choose another device.',
  ConstraintError: 'This device can’t make a passkey that asks who you are. Set up a screen lock or a PIN on it, or choose another device.',
  SecurityError: 'Your browser doesn’t take passkeys at this address. Open the practice’s own address and try again.',
  TypeError: 'The server can’t be reached. Check your connection and try again.',
}
const sentence = fault => fault instanceof Refused ? fault.message : sentences[fault.name] ?? 'That didn’t work. Reload this page and try again.'

// One request at a time: a button takes the place of what waits where an address is typed.
let waiting
const answered = async (button, mediation) => {
  waiting?.abort()
  const { signal } = waiting = new AbortController()
  const asked = await ask(button)
  signal.throwIfAborted()
  const key = asked.user ? await navigator.credentials.create({ publicKey: readable(asked), signal })
    : await navigator.credentials.get({ publicKey: readable(asked), mediation, signal })
  // The field beside the button: a form that asks for a proof may hold another one, of what is to be done.
  button.parentElement.querySelector('input[type=hidden][name$="passkey"]').value = written(key)
  button.form.submit() // what else the form asks for isn't needed beside a passkey
}

// Where the browser can, it offers passkeys beside the addresses that it knows. A challenge lives five minutes, and belongs to the
// window that asked last: so it is asked anew in the window that somebody looks at.
const offerBesideAddresses = async button => {
  if (!await PublicKeyCredential.isConditionalMediationAvailable?.()) return
  let asking
  const wait = () => {
    clearTimeout(asking)
    if (document.hidden || button.disabled) return
    asking = setTimeout(wait, 4 * 60 * 1000)
    answered(button, 'conditional').catch(() => {}) // nobody pressed anything
  }
  document.addEventListener('visibilitychange', wait)
  button.addEventListener('passkey-over', wait)
  wait()
}

export const offer = button => {
  if (!globalThis.PublicKeyCredential || !navigator.credentials || !button.hidden) return
  button.hidden = false
  const problem = button.parentElement.querySelector('[role=alert]')
  if (problem.textContent) button.focus()
  button.addEventListener('click', async () => {
    problem.textContent = ''
    button.disabled = true
    try {
      await answered(button)
    } catch (fault) {
      problem.textContent = sentence(fault)
      button.disabled = false
      button.focus()
      button.dispatchEvent(new Event('passkey-over'))
    }
  })
  addEventListener('pageshow', () => { button.disabled = false }) // also when somebody goes back to it
  if ('offer' in button.dataset) offerBesideAddresses(button)
}
