// STARTTLS (RFC 3207) and AUTH PLAIN, LOGIN (RFC 4954, RFC 4616).
#include <string.h>

#include "lib/text.h"
#include "smtpd/session.h"

namespace smtpd {

using po::messages::Answer;
using po::messages::Verdict;

namespace {

// What LOGIN asks, in base64; clients look for nothing else.
constexpr std::string_view kAskUser = "VXNlcm5hbWU6";
constexpr std::string_view kAskPassword = "UGFzc3dvcmQ6";

/// A password does not stay in memory longer than it is needed.
void wipe(Credentials& c) {
  explicit_bzero(c.password.data(), c.password.size());
  c = {};
}

}  // namespace

void Session::starttls(std::string_view, Actions& actions) {
  if (tls()) return fail(replies::kTlsAlready, actions);
  if (local() || client_.implicit_tls) return fail(replies::kNotBuilt, actions);
  if (!may_start_tls()) return fail(replies::kNoTls, actions);
  say(replies::kStartTls, actions);
  // RFC 3207 4.2: all that was learned in clear is forgotten.
  reset_transaction(actions);
  helo_.clear();
  esmtp_ = false;
  lines_.reset();
  after_cr_ = rest_of_line_ = false;
  state_ = State::kTls;
  actions.emplace_back(StartTls{});
}

void Session::on_tls(std::string version, std::string cipher, Actions& actions) {
  if (closed()) return;
  tls_version_ = std::move(version);
  tls_cipher_ = std::move(cipher);
  state_ = State::kCommand;
  ++commands_;
  if (client_.implicit_tls) greet(actions);
  settle(actions);
}

void Session::auth(std::string_view argument, Actions& actions) {
  if (local() || account_ != 0 || transaction_) return fail(replies::kAuthNotHere, actions);
  if (!tls()) return fail(replies::kAuthNeedsTls, actions);
  if (!esmtp_) return fail(replies::kNeedHelo, actions);
  auto parsed = parse_auth(argument);
  if (!parsed) return fail(parsed.error(), actions);
  if (parsed->mechanism == Mechanism::kPlain) {
    if (!parsed->initial) return ask_response(State::kAuthPlain, "", actions);
    return auth_response(State::kAuthPlain, *parsed->initial, actions);
  }
  if (!parsed->initial) return ask_response(State::kAuthLoginUser, kAskUser, actions);
  auth_response(State::kAuthLoginUser, *parsed->initial, actions);
}

void Session::ask_response(State step, std::string_view challenge, Actions& actions) {
  state_ = step;
  append_reply(reply_text(actions), 334, "", challenge);
}

void Session::auth_line(std::string_view line, Actions& actions) {
  State step = state_;
  state_ = State::kCommand;
  if (line == "*") {
    wipe(credentials_);
    return fail(replies::kAuthCancelled, actions);
  }
  auth_response(step, line, actions);
}

void Session::auth_response(State step, std::string_view text, Actions& actions) {
  auto response = parse_sasl_response(text);
  if (!response) return fail(response.error(), actions);
  switch (step) {
    case State::kAuthPlain:
      return authenticate(parse_plain(*response), actions);
    case State::kAuthLoginUser:
      credentials_.login = std::move(*response);
      return ask_response(State::kAuthLoginPassword, kAskPassword, actions);
    default:
      return authenticate(check_credentials(std::move(credentials_.login), std::move(*response)), actions);
  }
}

void Session::authenticate(Parsed<Credentials> credentials, Actions& actions) {
  if (!credentials) {
    wipe(credentials_);
    return fail(credentials.error(), actions);
  }
  credentials_ = std::move(*credentials);
  ask_accounts(actions);
}

void Session::ask_accounts(Actions& actions) {
  AskAccounts ask;
  ask.question.login = credentials_.login;
  ask.question.password = credentials_.password;
  ask.question.client = client_.address;
  ask.question.client_name = client_name_;
  ask.question.name_looked_up = name_known_;
  ask.question.session = client_.session;
  wait_ = Wait::kVerdict;
  actions.emplace_back(std::move(ask));
}

void Session::on_verdict(const Verdict& verdict, Actions& actions) {
  if (wait_ != Wait::kVerdict) return;
  wait_ = Wait::kNothing;
  switch (verdict.answer) {
    case Answer::kGranted:
      grant(verdict, actions);
      break;
    case Answer::kNeedName:
      if (name_known_) {  // it was told the name, or that there is none
        deny(replies::kAuthUnavailable, actions);
        break;
      }
      wait_ = Wait::kNameForLogin;
      actions.emplace_back(AskName{});
      return;
    case Answer::kLocked:
      deny(replies::kAuthLocked, actions);
      break;
    case Answer::kNotFrom:
      deny(replies::kAuthNotFrom, actions);
      break;
    case Answer::kTooMany:
      deny({454, "4.7.0",
            "Too many failures, try again in " + std::to_string(verdict.retry_after) + " seconds"},
           actions);
      break;
    case Answer::kDenied:
    case Answer::kNoMailbox:
      deny(replies::kAuthDenied, actions);
      break;
    case Answer::kUnavailable:
      deny(replies::kAuthUnavailable, actions);
      break;
  }
  settle(actions);
}

void Session::grant(const Verdict& verdict, Actions& actions) {
  account_ = verdict.account;
  account_address_ = verdict.address;
  Report r;
  r.event = Report::Event::kAuthenticated;
  r.login = credentials_.login;
  wipe(credentials_);
  actions.emplace_back(std::move(r));
  say(replies::kAuthenticated, actions);
}

void Session::deny(const Refusal& why, Actions& actions) {
  Report r = report(Report::Event::kAuthFailed, why);
  r.login = credentials_.login;
  wipe(credentials_);
  actions.emplace_back(std::move(r));
  fail(why, actions);
}

}  // namespace smtpd
