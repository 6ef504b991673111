#include "wwwd/log_in.h"

#include <fmt/format.h>

#include "lib/net_address.h"
#include "lib/text.h"
#include "wwwd/visit.h"

namespace wwwd {

using namespace po::messages;

namespace {

constexpr std::string_view kCarried = "was.";
/// No account has a longer address or password (the form Account Data).
constexpr std::size_t kMostLogin = 320, kMostPassword = 1024;

bool is_password(std::string_view name) {
  return po::ascii_lower(name).find("password") != std::string::npos;
}

void write_input(Html& h, std::string_view id, std::string_view label, html::Attributes attributes) {
  h.open("div", {{"class", "field stacked"}});
  h.element("label", {{"for", id}}, label);
  h.empty("input", attributes);
  h.close("div");
}

/// What accounts says to a log-in that it does not grant.
LogInView refusal(const Visit& visit, const WebLoggedIn& verdict) {
  LogInView view;
  view.status = 403;
  std::string title, text;
  switch (verdict.answer) {
    case Answer::kLocked:
      title = "This account is locked";
      text = "The password is right, but the account cannot be used until a Postmaster unlocks it.";
      break;
    case Answer::kNotFrom:
      title = "Not from here";
      text = fmt::format(
          "This account may not be used from your address, {}. A Postmaster can change where it may be used "
          "from.",
          po::address_text(visit.request().client));
      break;
    case Answer::kTooMany:
      view.status = 429;
      title = "Too many failed log-ins";
      text = fmt::format("Try again in {} {}. Until then no password is looked at.", verdict.retry_after,
                         verdict.retry_after == 1 ? "second" : "seconds");
      break;
    case Answer::kUnavailable:
      view.status = 503;
      title = "Not possible just now";
      text = "The part of the mail system that checks passwords is starting or busy. Try again in a moment.";
      break;
    default:
      title = "Access denied";
      text = "There is no account with this address and this password. Capital and small letters differ.";
  }
  Notice notice{view.status == 503 ? Tone::kWarning : Tone::kProblem, title, {}};
  notice.more.element("p", text);
  view.notices.push_back(std::move(notice));
  return view;
}

Parameters carried_fields(const Parameters& form) {
  Parameters fields;
  for (const auto& [name, value] : form)
    if (name.starts_with(kCarried) && name.size() > kCarried.size())
      fields.add(name.substr(kCarried.size()), value);
  return fields;
}

void on_verdict(const VisitPtr& visit, const Resume& resume, WebLoggedIn& verdict) {
  if (verdict.answer == Answer::kGranted) {
    std::string then = safe_path(visit->field("then"));
    Parameters fields = carried_fields(visit->request().form);
    if (!fields.empty())
      return resume(visit->shared_exchange(), std::move(verdict.token), std::move(then), std::move(fields));
    visit->adopt_token(std::move(verdict.token));
    return visit->see_other(then);
  }
  LogInView view = refusal(*visit, verdict);
  view.login = visit->field("login");
  view.then = visit->field("then");
  for (const auto& [name, value] : carried_fields(visit->request().form))
    view.carried.emplace_back(name, value);
  visit->show(log_in_page(view));
}

void log_in(const VisitPtr& visit, const Resume& resume) {
  const Request& request = visit->request();
  WebLogIn question;
  question.login = po::trim(visit->field("login"));
  question.password = visit->field("password");
  if (question.login.size() > kMostLogin || question.password.size() > kMostPassword) {
    WebLoggedIn denied;
    denied.answer = Answer::kDenied;
    return on_verdict(visit, resume, denied);
  }
  question.client = request.client;
  question.client_name = request.client_name;
  question.name_looked_up = request.name_looked_up;
  question.session = request.session;
  // An access restriction by name needs the client's: looked up once, then asked again.
  bool named = request.name_looked_up;
  visit->pipes().ask<WebLogIn>(std::move(question), [visit, resume, named](WebLoggedIn& verdict) {
    if (verdict.answer == Answer::kNeedName && !named)
      return visit->exchange().look_up_name([visit, resume] { log_in(visit, resume); });
    on_verdict(visit, resume, verdict);
  });
}

void show_log_in(const VisitPtr& visit) {
  LogInView view;
  view.then = visit->query("then");
  if (visit->request().query.has("out")) view.notices.push_back({Tone::kDone, "You are logged out", {}});
  visit->show(log_in_page(view));
}

void log_out(const VisitPtr& visit) {
  visit->ask<WebLogOut>({}, [visit](WebDone&) {
    Response response;
    response.status = 303;
    response.location = "/log-in?out=1";
    bool https = visit->request().https;
    response.cookies.push_back({.name = session_cookie_name(https),
                                .value = "",
                                .secure = https,
                                .max_age = std::chrono::seconds(0)});
    visit->answer(std::move(response));
  });
}

}  // namespace

Page log_in_page(const LogInView& view) {
  Page page;
  page.title = "Authentication";
  page.status = view.status;
  page.notices = view.notices;
  Html& h = page.body;
  h.open("form", {{"method", "post"}, {"action", "/log-in"}, {"class", "log-in"}});
  if (!view.then.empty()) h.empty("input", {{"type", "hidden"}, {"name", "then"}, {"value", view.then}});
  for (const auto& [name, value] : view.carried)
    h.empty("input", {{"type", "hidden"}, {"name", std::string(kCarried) + name}, {"value", value}});
  bool retry = !view.login.empty();
  write_input(h, "login", "E-mail address",
              {{"id", "login"},
               {"name", "login"},
               {"type", "text"},
               {"inputmode", "email"},
               {"autocomplete", "username"},
               {"autocapitalize", "none"},
               {"spellcheck", "false"},
               {"required", true},
               {"maxlength", kMostLogin},
               {"autofocus", !retry},
               {"value", view.login}});
  write_input(h, "password", "Password",
              {{"id", "password"},
               {"name", "password"},
               {"type", "password"},
               {"autocomplete", "current-password"},
               {"required", true},
               {"maxlength", kMostPassword},
               {"autofocus", retry}});
  h.element("button", {{"type", "submit"}, {"class", "primary"}}, "Authenticate");
  h.close("form");
  return page;
}

LogInView log_in_first(const Request& request, bool over) {
  LogInView view;
  view.status = 403;
  view.then = path_and_query(request);
  if (over) {
    Notice notice{Tone::kNote, "Please log in again", {}};
    notice.more.element(
        "p", "Your session is over: nothing was asked for a while, or you came from another address.");
    view.notices.push_back(std::move(notice));
  }
  return view;
}

LogInView log_in_again(const Request& request, bool can_resume) {
  LogInView view;
  view.status = 403;
  view.then = path_and_query(request);
  std::size_t size = 0;
  bool without_password = false;
  for (const auto& [name, value] : request.form) {
    if (name == "seal") continue;
    if (is_password(name)) {
      without_password = without_password || !value.empty();
      continue;
    }
    size += name.size() + value.size();
    view.carried.emplace_back(name, value);
  }
  if (!can_resume || size > kMostCarried) view.carried.clear();
  Notice notice{Tone::kWarning, "Nothing was changed yet: please log in again", {}};
  notice.more.element("p", "Your session was over when this came.");
  if (!view.carried.empty())
    notice.more.element(
        "p", without_password ? "What you typed is kept and shown to you after you log in, passwords aside."
                              : "What you typed is kept and shown to you after you log in.");
  view.notices.push_back(std::move(notice));
  return view;
}

std::string path_and_query(const Request& request) {
  std::string out;
  std::string_view rest = request.path;
  while (!rest.empty()) {
    std::size_t end = rest.find('/', 1);
    out += "/" + encode_component(rest.substr(1, end == std::string_view::npos ? end : end - 1));
    rest.remove_prefix(std::min(end, rest.size()));
  }
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    out += separator + encode_component(name) + "=" + encode_component(value);
    separator = '&';
  }
  return out;
}

std::string safe_path(std::string_view then) {
  std::size_t query = then.find('?');
  bool good = then.size() <= 2048 && parse_path(then.substr(0, query)) &&
              (query == std::string_view::npos || parse_parameters(then.substr(query + 1)));
  // A log-in that leads to itself would go round.
  return good && !then.starts_with("/log-") ? std::string(then) : "/";
}

void add_log_in_pages(Routes& routes, Resume resume) {
  routes.add({.pattern = "/log-in",
              .get = show_log_in,
              .post = [resume = std::move(resume)](const VisitPtr& visit) { log_in(visit, resume); },
              .open = true});
  routes.add(
      {.pattern = "/log-out", .get = [](const VisitPtr& visit) { visit->see_other("/"); }, .post = log_out});
}

}  // namespace wwwd
