package handlers

// route is one URL: nothing else mounts a handler.
type route struct {
	method   string
	path     string
	audience audience
}

// routes is every URL of the site, and who may open it.
func (s *Site) routes() []route {
	return []route{
		{"GET", "/", s.anyone(s.home)},
		{"GET", "/healthz", s.anyone(s.health)},
		{"GET", "/static/*", s.anyone(s.asset)},
		{"GET", "/logo/:hash", s.anyone(s.logo)},

		// Set-up, until there is an organization
		{"GET", "/set-up", s.anyone(s.setUpPage)},
		{"POST", "/set-up", s.anyone(s.setUp)},

		// Signing in and out
		{"GET", "/sign-in", s.anyone(s.signInPage)},
		{"POST", "/sign-in", s.anyone(s.signIn)},
		{"GET", signInPasskeyPath, s.anyone(s.signInPage)}, // where a refused write leaves the browser
		{"POST", signInPasskeyPath, s.anyone(s.signInWithPasskey)},
		{"POST", signInPasskeyPath + optionsOf, s.anyone(s.askToSignIn)},
		{"POST", "/sign-out", s.anyone(s.signOut)},
		{"GET", sessionPath, s.anyone(s.session)}, // a page asks by itself
		{"POST", sessionPath, s.anyone(s.session)},
		{"POST", confirmPath, s.person(s.confirmed)},
		{"POST", confirmPasskeyPath + optionsOf, s.person(s.askToConfirm)},
		{"GET", secondStepPath, s.halfway(s.secondStep)},
		{"POST", secondStepPath, s.halfway(s.takeSecondStep)},
		{"GET", stepPasskeyPath, s.halfway(s.secondStep)}, // where a refused write leaves the browser
		{"POST", stepPasskeyPath, s.halfway(s.takeStepByPasskey)},
		{"POST", stepPasskeyPath + optionsOf, s.halfway(s.askToStep)},
		{"GET", firstPasskeyPath, s.halfway(s.secondStep)}, // the same
		{"POST", firstPasskeyPath, s.halfway(s.addFirstPasskey)},
		{"POST", firstPasskeyPath + optionsOf, s.halfway(s.askForFirstPasskey)},

		// How a person signs in
		{"GET", securityPath, s.person(s.security)},
		{"GET", securityPath + "/password", s.person(s.passwordPage)},
		{"POST", securityPath + "/password", s.person(s.changePassword)},
		{"POST", securityPath + "/sign-out", s.person(s.signOutMany)},
		{"POST", securityPath + "/sessions/:id/sign-out", s.person(s.signOutAt)},
		{"GET", authenticatorPath, s.person(s.authenticator)},
		{"POST", authenticatorPath, s.person(s.enrolAuthenticator)},
		{"GET", authenticatorPath + "/remove", s.person(s.authenticatorToRemove)},
		{"POST", authenticatorPath + "/remove", s.person(s.removeAuthenticator)},
		{"GET", newPasskeyPath, s.person(s.newPasskey)},
		{"POST", newPasskeyPath, s.person(s.addPasskey)},
		{"POST", newPasskeyPath + optionsOf, s.person(s.askForPasskey)},
		{"GET", passkeysPath + "/:id", s.person(s.passkey)},
		{"POST", passkeysPath + "/:id", s.person(s.renamePasskey)},
		{"GET", passkeysPath + "/:id/remove", s.person(s.passkey)}, // where a refused write leaves the browser
		{"POST", passkeysPath + "/:id/remove", s.person(s.removePasskey)},
		{"GET", recoveryCodesPath, s.person(s.recoveryCodes)},
		{"POST", recoveryCodesPath, s.person(s.newRecoveryCodes)},

		// Links in mails, and forgotten passwords
		{"GET", "/link/:token", s.anyone(s.openLink)},
		{"GET", "/choose-password", s.anyone(s.choosePasswordPage)},
		{"POST", "/choose-password", s.anyone(s.choosePassword)},
		{"POST", "/new-link", s.anyone(s.newLink)},
		{"GET", "/not-for-me/:token", s.anyone(s.openNotMeant)},
		{"GET", "/not-for-me", s.anyone(s.notMeantPage)},
		{"POST", "/not-for-me", s.anyone(s.notMeant)},
		{"GET", "/forgotten-password", s.anyone(s.forgottenPasswordPage)},
		{"POST", "/forgotten-password", s.anyone(s.forgottenPassword)},

		// Clients
		{"GET", "/clients", s.staff(s.clients)},
		{"POST", "/clients", s.staff(s.addClient)},
		{"POST", "/clients/chosen", s.administrator(s.chosenClients)},
		{"GET", "/clients/new", s.staff(s.newClient)},
		{"GET", "/clients/:id", s.staff(s.openClient)},
		{"GET", "/clients/:id/edit", s.staff(s.editClient)},
		{"POST", "/clients/:id/edit", s.staff(s.changeClient)},
		{"POST", "/clients/:id/new-address", s.staff(s.newAddress)},
		{"POST", "/clients/:id/address-marks", s.staff(s.markAddress)},
		{"GET", "/clients/:id/archive", s.staff(s.archivePage)},
		{"POST", "/clients/:id/archive", s.staff(s.archiveClient)},
		{"POST", "/clients/:id/restore", s.staff(s.restoreClient)},
		{"GET", "/clients/:id/delete", s.administrator(s.deletePage)},
		{"POST", "/clients/:id/delete", s.administrator(s.deleteClient)},
		{"GET", "/clients/:id/release-address", s.staff(s.releaseAddressPage)},
		{"POST", "/clients/:id/release-address", s.staff(s.releaseAddress)},
		{"GET", "/clients/:id/second-step", s.administrator(s.clientStepToRemove)},
		{"POST", "/clients/:id/second-step", s.administrator(s.removeClientStep)},
		{"GET", "/clients/:id/portal-access", s.administrator(s.portalAccess)},
		{"POST", "/clients/:id/portal-access", s.administrator(s.turnPortal)},
		{"POST", "/clients/:id/sign-out", s.administrator(s.signClientOut)},
		{"POST", "/clients/:id/reminders", s.staff(s.turnReminders)},
		{"POST", "/clients/:id/therapists", s.administrator(s.assignClient)},
		{"POST", "/clients/:id/resend", s.staff(s.resend)},
		{"GET", "/clients/:id/invitation", s.staff(s.invitationToRevoke)},
		{"POST", "/clients/:id/invitation", s.staff(s.revokeInvitation)},
		{"GET", "/form-requests/:id/revoke", s.staff(s.formToRevoke)},
		{"POST", "/form-requests/:id/revoke", s.staff(s.revokeForm)},

		// Drafts: compose, preview, send
		{"POST", "/clients/:id/drafts", s.staff(s.startClientDraft)},
		{"GET", "/drafts/:id", s.staff(s.composeDraft)},
		{"POST", "/drafts/:id", s.staff(s.saveDraft)},
		{"GET", "/drafts/:id/preview", s.staff(s.previewDraft)},
		{"GET", "/drafts/:id/letter", s.staff(s.previewLetter)},
		{"POST", "/drafts/:id/message", s.staff(s.changeMessage)},
		{"POST", "/drafts/:id/send", s.staff(s.sendDraft)},
		{"GET", "/drafts/:id/message", s.staff(s.composeDraft)}, // where a refused write leaves the browser
		{"GET", "/drafts/:id/send", s.staff(s.composeDraft)},
		{"GET", "/drafts/:id/sent", s.staff(s.sentDraft)},

		// Forms that clients completed
		{"GET", "/form-requests/:id", s.staff(s.completedForm)},
		{"GET", "/form-requests/:id/response.json", s.staff(s.completedFormFHIR)},
		{"POST", "/form-requests/:id/review", s.staff(s.reviewForm)},

		// Organization
		{"GET", "/what-you-may-do", s.staff(s.ownRights)},
		{"GET", "/organization/permissions", s.administrator(s.allRights)},
		{"GET", "/organization/staff", s.administrator(s.staffList)},
		{"POST", "/organization/staff", s.administrator(s.addStaff)},
		{"GET", "/organization/staff/new", s.administrator(s.newStaffPage)},
		{"GET", "/organization/staff/:id", s.administrator(s.staffMember)},
		{"POST", "/organization/staff/:id", s.administrator(s.changeStaff)},
		{"GET", "/organization/staff/:id/email", s.administrator(s.staffEmailPage)},
		{"POST", "/organization/staff/:id/email", s.administrator(s.changeStaffEmail)},
		{"GET", "/organization/staff/:id/clients", s.administrator(s.staffClients)},
		{"POST", "/organization/staff/:id/clients", s.administrator(s.changeStaffClients)},
		{"GET", "/organization/staff/:id/resend", s.administrator(s.staffMember)}, // where a refused write leaves the browser
		{"POST", "/organization/staff/:id/resend", s.administrator(s.resendJoin)},
		{"GET", "/organization/staff/:id/second-step", s.administrator(s.staffStepToRemove)},
		{"POST", "/organization/staff/:id/second-step", s.administrator(s.removeStaffStep)},
		{"GET", "/organization/staff/:id/disable", s.administrator(s.disableStaffPage)},
		{"POST", "/organization/staff/:id/disable", s.administrator(s.disableStaff)},
		{"POST", "/organization/staff/:id/enable", s.administrator(s.enableStaff)},
		{"POST", "/organization/staff/:id/sign-out", s.administrator(s.signStaffOut)},
		{"GET", mailPath, s.administrator(s.mail)},
		{"GET", mailSettingsPath, s.administrator(s.mailSettings)},
		{"POST", mailSettingsPath, s.administrator(s.saveMailSettings)},
		{"GET", mailPath + "/test", s.administrator(s.mail)}, // where a refused write leaves the browser
		{"POST", mailPath + "/test", s.administrator(s.sendTestLetter)},
		{"GET", mailPath + "/forget", s.administrator(s.mail)}, // the same
		{"POST", mailPath + "/forget", s.administrator(s.forgetMail)},
		{"GET", mailDomainPath, s.administrator(s.mailDomain)},
		{"GET", mailPath + "/outbox", s.administrator(s.outboxToResume)},
		{"POST", mailPath + "/outbox", s.administrator(s.turnOutbox)},
		{"GET", mailQueuePath, s.administrator(s.mailQueue)},
		{"POST", mailQueuePath, s.administrator(s.turnLetters)},
		{"GET", mailQueuePath + "/:id", s.administrator(s.queuedLetter)},
		{"GET", requiredStepPath, s.administrator(s.requiredStep)},
		{"POST", requiredStepPath, s.administrator(s.requireStep)},
		{"GET", keysPath, s.administrator(s.keys)},
		{"GET", keysPath + "/rotate", s.administrator(s.keyToRotate)},
		{"POST", keysPath + "/rotate", s.administrator(s.rotateKey)},
		{"GET", "/organization/settings", s.administrator(s.settings)},
		{"POST", "/organization/settings", s.administrator(s.saveSettings)},
		{"POST", "/organization/logo", s.administrator(s.changeLogo)},
		{"GET", "/organization/client-portal", s.administrator(s.clientPortal)},
		{"GET", "/organization/client-portal/settings", s.administrator(s.portalSettings)},
		{"POST", "/organization/client-portal/settings", s.administrator(s.savePortalSettings)},
		{"GET", "/organization/client-portal/access", s.administrator(s.portalSwitch)},
		{"POST", "/organization/client-portal/access", s.administrator(s.turnWholePortal)},
		{"GET", invitationsPath, s.administrator(s.sendings)},
		{"POST", invitationsPath, s.administrator(s.chosenSendings)},
		{"GET", resendQuestionPath, s.administrator(s.askResend)},
		{"GET", remindersPath, s.administrator(s.reminders)},
		{"POST", remindersPath, s.administrator(s.saveReminders)},
		{"GET", messagesPath, s.administrator(s.defaultMessages)},
		{"GET", messagesPath + "/:kind", s.administrator(s.defaultMessage)},
		{"POST", messagesPath + "/:kind", s.administrator(s.saveDefaultMessage)},
		{"GET", messagesPath + "/:kind/letter", s.administrator(s.defaultLetter)},
		{"GET", placeholdersPath, s.administrator(s.placeholders)},
		{"GET", manageClientsPath, s.administrator(s.manageClients)},
		{"POST", manageClientsPath, s.administrator(s.selectClients)},
		{"GET", importPath, s.administrator(s.importPage)},
		{"POST", importPath, s.administrator(s.keepImport)},
		{"GET", importPath + "/:id", s.administrator(s.checkImport)},
		{"GET", importPath + "/:id/verdicts.csv", s.administrator(s.importVerdicts)},
		{"GET", importPath + "/:id/problems.csv", s.administrator(s.importProblems)},
		{"GET", importPath + "/:id/progress", s.administrator(s.importProgress)},
		{"POST", importPath + "/:id", s.administrator(s.applyImport)},
		{"GET", exportPath, s.administrator(s.exportPage)},
		{"POST", exportPath, s.administrator(s.export)},
		{"GET", auditPath, s.administrator(s.audit)},
		{"POST", auditPath, s.administrator(s.exportAudit)},
		{"GET", auditCheckPath, s.administrator(s.auditCheck)},
		{"POST", auditCheckPath, s.administrator(s.checkAudit)},

		// The client's portal
		{"GET", "/portal", s.client(s.portal)},
		{"GET", "/portal/address", s.client(s.addressPage)},
		{"POST", "/portal/address", s.client(s.askForAddress)},
		{"GET", "/portal/forms/:id", s.client(s.form)},
		{"POST", "/portal/forms/:id", s.client(s.answerForm)},
		{"GET", "/portal/forms/:id/thank-you", s.client(s.thankYou)},

		// The demo's mailbox
		{"GET", "/demo/mailbox", s.anyone(s.mailbox)},
		{"POST", "/demo/mailbox/read", s.anyone(s.readMail)},
		{"POST", "/demo/mailbox/empty", s.anyone(s.emptyMailbox)},
		{"GET", "/demo/mailbox/:id", s.anyone(s.openMail)},
		{"GET", "/demo/mailbox/:id/letter", s.anyone(s.mailboxLetter)},
		{"GET", "/demo/mailbox/:id/source", s.anyone(s.mailSource)},
	}
}
