// WebServer: application passwords and sign-ins, of the caller's own account or, for a Postmaster, of any.
#include <utility>

#include "accounts/app_passwords.h"
#include "accounts/unix_time.h"
#include "accounts/web_answers.h"
#include "accounts/web_server.h"

namespace accounts {

namespace messages = po::messages;
using messages::WebDone;
using messages::WebStanding;

namespace {

/// Permanent failure if there is no such account.
po::Result<void> must_exist(const Administration& administration, std::uint64_t account) {
  auto found = administration.directory().account(account);
  if (!found) return tl::make_unexpected(found.error());
  if (!*found) return po::permanent("there is no such account");
  return {};
}

messages::WebAccess access_of(const Administration& administration, std::uint64_t account) {
  messages::WebAccess answer;
  auto there = must_exist(administration, account);
  say(answer, there);
  if (!there) return answer;
  auto passwords = administration.secrets().app_passwords(account);
  say(answer, passwords);
  if (!passwords) return answer;
  auto sign_ins = administration.secrets().sign_ins(account);
  say(answer, sign_ins);
  if (!sign_ins) return answer;
  for (AppPassword& p : *passwords)
    answer.passwords.push_back({p.id, std::move(p.name), p.made, p.used, std::move(p.used_from)});
  for (SignIn& s : *sign_ins)
    answer.sign_ins.push_back(
        {s.last, std::string(service_name(s.service)), std::move(s.from), std::move(s.by), s.count});
  return answer;
}

}  // namespace

WebServer::Looked WebServer::look_at_account(const messages::WebCaller& caller, std::uint64_t account,
                                             Needs needs) {
  Looked who = look(caller, needs);
  if (who.good() && !who.postmaster && account != who.account.id) who.standing = WebStanding::kNotAllowed;
  return who;
}

/// Read behind what has gathered in memory, so in the writer's thread.
void WebServer::on_ask_access(Asker asker, messages::WebAskAccess ask) {
  Looked who = look_at_account(ask.caller, ask.subject);
  if (!who.good()) return refuse<messages::WebAccess>(asker, who.standing);
  if (!take_job(asker)) return refuse<messages::WebAccess>(asker, WebStanding::kUnavailable);
  parts_.authenticator.sign_ins().flush();
  auto answer = std::make_shared<messages::WebAccess>();
  parts_.writer.run([&admin = parts_.administration, answer,
                     subject = ask.subject] { *answer = access_of(admin, subject); },
                    [this, asker, answer] {
                      end_job(asker);
                      send(asker, *answer);
                    });
}

void WebServer::on_make_password(Asker asker, messages::WebMakePassword ask) {
  Looked who = look_at_account(ask.caller, ask.subject, Needs::kSeal);
  change(asker, std::move(who), {"app-password-made", "app-password", ask.subject},
         [&admin = parts_.administration, subject = ask.subject, name = ask.name](const Caller&) {
           if (auto ok = must_exist(admin, subject); !ok) return failure(ok.error());
           auto made = make_app_password(admin.secrets(), subject, name, unix_seconds());
           if (!made) return failure(made.error());
           WebDone done;
           done.kind = po::Kind::kDone;
           done.text = "The application password is made. It is shown this once.";
           done.subject = subject;
           done.secret = std::move(made->password);
           return done;
         });
}

void WebServer::on_revoke_password(Asker asker, messages::WebRevokePassword ask) {
  Looked who = look_at_account(ask.caller, ask.subject, Needs::kSeal);
  change(asker, std::move(who), {"app-password-revoked", "app-password", ask.subject},
         [&admin = parts_.administration, subject = ask.subject, id = ask.id](const Caller&) {
           auto name = revoke_app_password(admin.secrets(), subject, id);
           if (!name) return failure(name.error());
           WebDone done;
           done.kind = po::Kind::kDone;
           done.text = "The application password '" + *name + "' is revoked: it is no good any more.";
           done.subject = subject;
           return done;
         });
}

}  // namespace accounts
