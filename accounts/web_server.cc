#include "accounts/web_server.h"

#include <fmt/core.h>

#include <algorithm>

#include "accounts/account_form.h"
#include "accounts/command_server.h"
#include "accounts/random.h"
#include "accounts/web_orders.h"
#include "lib/net_address.h"
#include "lib/notice.h"
#include "lib/order.h"
#include "lib/text.h"
#include "lib/ticket.h"

namespace accounts {

namespace messages = po::messages;
using messages::Answer;
using messages::WebStanding;
using std::chrono::steady_clock;

namespace {

constexpr std::chrono::minutes kExpirePeriod{1};

std::string_view answer_word(Answer answer) {
  switch (answer) {
    case Answer::kGranted:
      return "granted";
    case Answer::kDenied:
      return "denied";
    case Answer::kLocked:
      return "locked";
    case Answer::kNotFrom:
      return "not-from-there";
    case Answer::kTooMany:
      return "slowed-down";
    case Answer::kNeedName:
      return "need-name";
    case Answer::kNoMailbox:
      return "no-mailbox";
    case Answer::kUnavailable:
      break;
  }
  return "unavailable";
}

}  // namespace

WebServer::WebServer(Parts parts)
    : parts_(std::move(parts)),
      sessions_([this](const WebSession& session, std::string_view why) { ended(session, why); }),
      readers_(parts_.loop, 1) {
  expire_.every(parts_.loop, kExpirePeriod, [this] { sessions_.expire(idle_limit(), steady_clock::now()); });
}
WebServer::~WebServer() = default;

void WebServer::take(const messages::Peer& peer, po::Fd socket) {
  PipeId id = next_++;
  Pipe& made = pipes_[id];
  made.channel = std::make_unique<po::Channel>(
      parts_.loop, std::move(socket), [this, id](po::Frame& frame) { return on_frame(id, frame); },
      [this, id, name = peer.name](std::string_view why) {
        parts_.log.event("peer-gone").kv("peer", name).kv("why", why);
        drop_commands(id);
        pipes_.erase(id);
      });
}

/// A list that cannot be made now says so to whoever asks for it.
void WebServer::keep_list_ready() {
  readers_.run([&admin = parts_.administration] { (void)admin.list().make_ready(); }, [] {});
}

template <class M>
bool WebServer::handle(Asker asker, po::Frame& frame, void (WebServer::*act)(Asker, M)) {
  M ask;
  if (!frame.decode(ask)) return false;
  (this->*act)(asker, std::move(ask));
  return true;
}

bool WebServer::on_frame(PipeId id, po::Frame& frame) {
  Asker asker{id, frame.serial};
  switch (frame.type) {
    case messages::WebLogIn::kType:
      return handle(asker, frame, &WebServer::on_log_in);
    case messages::WebLook::kType:
      return handle(asker, frame, &WebServer::on_look);
    case messages::WebLogOut::kType:
      return handle(asker, frame, &WebServer::on_log_out);
    case messages::WebShowForm::kType:
      return handle(asker, frame, &WebServer::on_show_form);
    case messages::WebSubmitForm::kType:
      return handle(asker, frame, &WebServer::on_submit_form);
    case messages::WebAskHistory::kType:
      return handle(asker, frame, &WebServer::on_history);
    case messages::WebUndo::kType:
      return handle(asker, frame, &WebServer::on_undo);
    case messages::WebAskAccounts::kType:
      return handle(asker, frame, &WebServer::on_accounts);
    case messages::WebRemove::kType:
      return handle(asker, frame, &WebServer::on_remove);
    case messages::WebAskAccess::kType:
      return handle(asker, frame, &WebServer::on_ask_access);
    case messages::WebMakePassword::kType:
      return handle(asker, frame, &WebServer::on_make_password);
    case messages::WebRevokePassword::kType:
      return handle(asker, frame, &WebServer::on_revoke_password);
    case messages::WebCommand::kType:
      return on_command(asker, frame);
    case messages::WebMoreOutput::kType:
      return on_more_output(asker, frame);
    case messages::Abandon::kType:
      return on_abandon(asker, frame);
    case messages::WebAskStatus::kType:
      return handle(asker, frame, &WebServer::on_status);
    case messages::WebAskOrder::kType:
      return handle(asker, frame, &WebServer::on_order);
    default:
      return false;
  }
}

// ---- who asks

std::chrono::seconds WebServer::idle_limit() const {
  auto settings = parts_.administration.directory().settings();
  return std::chrono::seconds(settings ? (*settings)->web_idle_seconds
                                       : directory::Settings{}.web_idle_seconds);
}

WebServer::Looked WebServer::look(const messages::WebCaller& caller, Needs needs, For whom) {
  Looked who;
  const WebSession* session = sessions_.use(caller.token, caller.client, idle_limit(), steady_clock::now());
  if (!session) return who;
  who.session = *session;
  who.client = caller.client;
  who.standing = WebStanding::kUnavailable;
  auto rights =
      web_rights(parts_.administration, parts_.authenticator.credentials_key(), who.session, who.client);
  if (!rights) return who;
  if (!rights->over.empty()) {
    sessions_.end(who.session.id, rights->over);
    who.standing = WebStanding::kNobody;
    return who;
  }
  who.account = std::move(rights->account);
  who.postmaster = rights->postmaster;
  who.standing = WebStanding::kGood;
  if (whom == For::kPostmaster && !who.postmaster) who.standing = WebStanding::kNotAllowed;
  if (needs == Needs::kSeal) check_seal(who, caller);
  return who;
}

void WebServer::check_seal(Looked& who, const messages::WebCaller& caller) {
  if (po::same_octets(caller.seal, who.session.seal)) return;
  parts_.log.event("web-forged")
      .kv("web", who.session.id)
      .kv("account", who.session.account)
      .kv("client", po::address_text(who.client));
  who.standing = WebStanding::kForged;
}

void WebServer::ended(const WebSession& session, std::string_view why) {
  parts_.log.event("web-session-ended")
      .kv("web", session.id)
      .kv("account", session.account)
      .kv("client", po::address_text(session.client))
      .kv("why", why);
}

Caller WebServer::caller_of(const Looked& who) {
  Caller caller;
  caller.rights = who.postmaster ? form::Who::kPostmaster : form::Who::kOwner;
  caller.account = who.account.id;
  caller.who = who.account.id == directory::kPostmaster || who.account.addresses.empty()
                   ? "Postmaster"
                   : who.account.addresses[0];
  caller.from = po::address_text(who.client);
  caller.way = "web";
  return caller;
}

// ---- sessions

/// The list of System Security is wwwd's to hold against a client first; here it is held again, because wwwd
/// is not trusted.
void WebServer::on_log_in(Asker asker, messages::WebLogIn ask) {
  auto settings = parts_.administration.directory().settings();
  if (!settings) return send(asker, messages::WebLoggedIn{});
  Admission admitted = admission((*settings)->web_limit, ask.client, ask.client_name, ask.name_looked_up);
  if (admitted != Admission::kYes) {
    Authenticator::Verdict verdict;
    verdict.answer = admitted == Admission::kNeedsName ? Answer::kNeedName : Answer::kNotFrom;
    return finish_log_in(asker, ask, verdict);
  }
  Authenticator::Request request{
      ask.login, std::move(ask.password), ask.client, ask.client_name, ask.name_looked_up, ask.session,
      false};
  bool postmaster = po::equal_ignoring_case(ask.login, "Postmaster");
  auto done = [this, asker, ask = std::move(ask)](const Authenticator::Verdict& verdict) {
    finish_log_in(asker, ask, verdict);
  };
  if (postmaster)
    parts_.authenticator.authenticate_account(directory::kPostmaster, Service::kWeb, std::move(request),
                                              std::move(done));
  else
    parts_.authenticator.authenticate(Service::kWeb, std::move(request), std::move(done));
}

void WebServer::finish_log_in(Asker asker, const messages::WebLogIn& ask,
                              const Authenticator::Verdict& verdict) {
  messages::WebLoggedIn answer;
  answer.answer = verdict.answer;
  answer.retry_after = verdict.retry_after;
  if (verdict.answer == Answer::kGranted) {
    WebSession session;
    session.account = verdict.account;
    session.client = ask.client;
    session.client_name = ask.client_name;
    session.credentials = verdict.credentials;
    auto opened = sessions_.open(std::move(session), idle_limit(), steady_clock::now());
    answer.token = opened.token;
    parts_.log.event("web-login")
        .kv("session", ask.session)
        .kv("web", opened.id)
        .kv("account", verdict.account)
        .kv("login", ask.login)
        .kv("client", po::address_text(ask.client));
  } else if (verdict.answer != Answer::kNeedName) {  // that is no end: it comes again, with the name
    parts_.log.event("web-login-failed")
        .kv("session", ask.session)
        .kv("login", ask.login)
        .kv("client", po::address_text(ask.client))
        .kv("reason", answer_word(verdict.answer));
  }
  send(asker, answer);
}

void WebServer::on_look(Asker asker, messages::WebLook ask) {
  Looked who = look(ask.caller);
  messages::WebSession answer;
  answer.standing = who.standing;
  if (who.good()) {
    answer.account = who.account.id;
    answer.address = primary_address(who.account);
    answer.name = who.account.name;
    answer.postmaster = who.postmaster;
    answer.seal = who.session.seal;
    answer.idle_seconds = static_cast<std::uint32_t>(idle_limit().count());
  }
  send(asker, answer);
}

void WebServer::on_log_out(Asker asker, messages::WebLogOut ask) {
  Looked who = look(ask.caller, Needs::kSeal);
  messages::WebDone answer;
  answer.standing = who.standing;
  if (who.good()) {
    sessions_.end(who.session.id, "logged out");
    answer.kind = po::Kind::kDone;
    answer.text = "You are logged out.";
  }
  send(asker, answer);
}

// ---- changes

bool WebServer::take_job(Asker asker) {
  auto pipe = pipes_.find(asker.pipe);
  if (pipe == pipes_.end() || pipe->second.jobs >= kMostJobs) return false;
  ++pipe->second.jobs;
  return true;
}

void WebServer::end_job(Asker asker) {
  auto pipe = pipes_.find(asker.pipe);
  if (pipe != pipes_.end()) --pipe->second.jobs;
}

/// What the caller may do was looked up when the question came; other changes may have been waiting before
/// this one. So it is looked up again where nothing can come between.
void WebServer::change(Asker asker, Looked who, About about, Change work) {
  if (!who.good()) return refuse<messages::WebDone>(asker, who.standing);
  if (!take_job(asker)) return refuse<messages::WebDone>(asker, WebStanding::kUnavailable);
  struct Job {
    Looked who;
    About about;
    messages::WebDone done;
    std::string credentials;  ///< not empty: the account's own, new ones
  };
  auto job = std::make_shared<Job>(Job{std::move(who), std::move(about), {}, {}});
  parts_.writer.run(
      [&admin = parts_.administration, key = parts_.authenticator.credentials_key(), job,
       work = std::move(work)] {
        job->done.standing = WebStanding::kUnavailable;
        auto rights = web_rights(admin, key, job->who.session, job->who.client);
        if (!rights) return;
        job->done.standing = WebStanding::kNobody;
        if (!rights->over.empty()) return;
        job->done.standing = WebStanding::kNotAllowed;
        if (job->who.postmaster && !rights->postmaster) return;
        job->done = work(caller_of(job->who));
        job->done.standing = WebStanding::kGood;
        // Nobody is thrown out of the session in which he gives himself a new password.
        auto account = admin.directory().account(job->who.account.id);
        auto stored = admin.secrets().password(job->who.account.id);
        if (account && *account && stored) job->credentials = credentials_of(key, **account, *stored);
      },
      [this, asker, job] {
        end_job(asker);
        if (!job->credentials.empty()) sessions_.keep(job->who.session.id, job->credentials);
        parts_.changed();
        log_change(job->who, job->about, job->done);
        send(asker, job->done);
      });
}

void WebServer::log_change(const Looked& who, const About& about, const messages::WebDone& done) {
  if (done.standing != WebStanding::kGood || done.kind != po::Kind::kDone || about.event.empty()) return;
  parts_.log.event(about.event)
      .kv("web", who.session.id)
      .kv("form", about.form)
      .kv("subject", done.subject != 0 ? done.subject : about.subject)
      .kv("revision", done.revision)
      .kv("who", caller_of(who).who)
      .kv("client", po::address_text(who.client));
}

// ---- the dispatcher, queue and story

void WebServer::on_status(Asker asker, messages::WebAskStatus ask) {
  Looked who = look(ask.caller, Needs::kNothing, For::kPostmaster);
  if (!who.good()) return refuse<messages::WebStatus>(asker, who.standing);
  if (!take_job(asker)) return refuse<messages::WebStatus>(asker, WebStanding::kUnavailable);
  asked_status_[parts_.administer(messages::Verb::kStatusJson)] = asker;
}

void WebServer::on_administered(std::uint32_t serial, const messages::AdministerAnswer& answer) {
  auto asked = asked_status_.find(serial);
  if (asked == asked_status_.end()) return;
  Asker asker = asked->second;
  asked_status_.erase(asked);
  end_job(asker);
  send(asker, messages::WebStatus{WebStanding::kGood, answer.kind, answer.text});
}

void WebServer::on_order(Asker asker, messages::WebAskOrder ask) {
  Looked who = look(ask.caller);
  if (!who.good()) return refuse<messages::WebOrder>(asker, who.standing);
  OrderRight right = order_right(ask.words, who.account, who.postmaster);
  if (right == OrderRight::kNone) return refuse<messages::WebOrder>(asker, WebStanding::kNotAllowed);
  if (right == OrderRight::kChanges) {
    check_seal(who, ask.caller);
    if (!who.good()) return refuse<messages::WebOrder>(asker, who.standing);
    parts_.log.event("web-order")
        .kv("web", who.session.id)
        .kv("who", caller_of(who).who)
        .kv("client", po::address_text(who.client))
        .kv("command", command_for_log(ask.words));
  }
  po::Order order{std::move(ask.words), who.account.id, po::ticket_now_ms(), random_number()};
  send(asker, messages::WebOrder{WebStanding::kGood, po::seal_order(parts_.order_key, order)});
}

}  // namespace accounts
