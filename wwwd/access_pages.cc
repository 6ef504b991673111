// How an account is got into: its application passwords (made by the system, shown once, revocable) and its
// last sign-ins. Each page stands twice: for one's own account, and for any as a Postmaster.
#include <fmt/format.h>

#include <algorithm>

#include "lib/text.h"
#include "wwwd/account_place.h"
#include "wwwd/form_visit.h"
#include "wwwd/pages.h"
#include "wwwd/words.h"

namespace wwwd {
namespace {

using namespace po::messages;

/// Whose page it is, and where it stands.
struct AccessPlace {
  std::uint64_t account = 0;
  bool own = true;
  std::string base;  ///< "/account" or "/accounts/17"

  [[nodiscard]] Page page(std::string_view below, std::string title) const {
    Page page;
    page.title = std::move(title);
    if (own) {
      page.place = below == "/sign-ins" ? "/account/sign-ins" : "/account/passwords";
    } else {
      page.place = "/accounts";
      page.crumbs = {{"/accounts", "Accounts"}, {base, fmt::format("Account {}", account)}};
      write_account_tabs(page.body, account, below);
    }
    return page;
  }
};

AccessPlace own_access(const Visit& visit) {
  return {visit.viewer().account, true, "/account"};
}
AccessPlace any_access(const Visit& visit) {
  return {visit.number(0), false, account_path(visit.number(0))};
}

void with_access(const VisitPtr& visit, const AccessPlace& place, std::function<void(WebAccess&)> then) {
  WebAskAccess question;
  question.subject = place.account;
  visit->ask<WebAskAccess>(std::move(question), [visit, then = std::move(then)](WebAccess& access) {
    if (access.kind == po::Kind::kPermanent) return visit->not_found();
    if (access.kind != po::Kind::kDone) return visit->refuse(503, "Not possible just now", access.text);
    then(access);
  });
}

// ---- application passwords

constexpr std::size_t kMostName = 100;  // accounts takes fewer, and says so

struct MakingView {
  std::string name, problem;
  std::string made, secret;  ///< the new one
};

void write_secret(Page& page, const MakingView& view) {
  if (view.secret.empty()) return;
  Notice notice{Tone::kDone, fmt::format("The password for {} is made", view.made), {}};
  notice.more.element("p", "Copy it now: it is not shown again.");
  notice.more.open("p").element("code", {{"class", "secret"}, {"data-copy", "yes"}}, view.secret).close("p");
  page.notices.push_back(std::move(notice));
}

void write_password_row(Html& h, const AccessPlace& place, const WebAccess::AppPassword& password) {
  h.open("tr").element("th", {{"scope", "row"}}, password.name);
  h.open("td", {{"data-label", "Made"}});
  write_time(h, password.made);
  h.close("td").open("td", {{"data-label", "Last used"}});
  write_time(h, password.used);
  if (!password.used_from.empty()) h.text(" from " + password.used_from);
  h.close("td").open("td", {{"class", "right"}});
  h.open("a", {{"class", "button small"},
               {"href", fmt::format("{}/passwords/{}/revoke", place.base, password.id)}});
  h.text("Revoke")
      .element("span", {{"class", "unseen"}}, " " + password.name)
      .close("a")
      .close("td")
      .close("tr");
}

void write_passwords(Html& h, const AccessPlace& place, const WebAccess& access) {
  if (access.passwords.empty()) {
    h.element("p", {{"class", "blank"}}, "There are none yet.");
    return;
  }
  h.open("table", {{"class", "list"}}).element("caption", {{"class", "unseen"}}, "Application passwords");
  h.open("thead").open("tr");
  for (std::string_view title : {"Name", "Made", "Last used"}) h.element("th", {{"scope", "col"}}, title);
  h.open("th", {{"scope", "col"}})
      .element("span", {{"class", "unseen"}}, "Revoke")
      .close("th")
      .close("tr")
      .close("thead")
      .open("tbody");
  for (const WebAccess::AppPassword& password : access.passwords) write_password_row(h, place, password);
  h.close("tbody").close("table");
}

void write_making(Html& h, const Visit& visit, const AccessPlace& place, const MakingView& view) {
  h.element("h2", "Make one");
  visit.open_form(h, place.base + "/passwords");
  h.open("div", {{"class", "fields"}});
  h.open("div", {{"class", view.problem.empty() ? "row" : "row invalid"}}).open("div", {{"class", "head"}});
  h.element("label", {{"for", "name"}}, "Name");
  h.element("p", {{"class", "help"}, {"id", "name-help"}},
            "Of the program or the machine that will use it, so that you know which one to revoke.");
  h.close("div").open("div", {{"class", "control"}});
  h.empty("input", {{"type", "text"},
                    {"id", "name"},
                    {"name", "name"},
                    {"class", "line"},
                    {"maxlength", kMostName},
                    {"autocomplete", "off"},
                    {"value", view.name},
                    {"aria-describedby", view.problem.empty() ? "name-help" : "name-error name-help"},
                    html::Attribute::unless_empty("aria-invalid", view.problem.empty() ? "" : "true")});
  if (!view.problem.empty())
    h.open("div", {{"class", "error"}, {"id", "name-error"}}).element("p", view.problem).close("div");
  h.close("div").close("div").close("div");
  h.open("div", {{"class", "actions"}})
      .element("button", {{"type", "submit"}, {"class", "primary"}}, "Make a password")
      .close("div")
      .close("form");
}

void show_passwords(const VisitPtr& visit, const AccessPlace& place, const MakingView& view) {
  with_access(visit, place, [visit, place, view](WebAccess& access) {
    Page page = place.page("/passwords", "Application passwords");
    page.status = view.problem.empty() ? 200 : 422;
    if (!view.problem.empty()) {
      Notice notice{Tone::kProblem, "No password was made", {}};
      notice.more.open("p").link("#name", view.problem).close("p");
      page.notices.push_back(std::move(notice));
    }
    write_secret(page, view);
    Html& h = page.body;
    h.element("p", {{"class", "lead"}},
              "Passwords for mail programs: each is good for POP3 and for sending mail, not for these pages, "
              "and can be revoked without changing the others.");
    write_passwords(h, place, access);
    write_making(h, *visit, place, view);
    visit->show(std::move(page));
  });
}

void make_password(const VisitPtr& visit, const AccessPlace& place) {
  MakingView view;
  view.name = po::trim(visit->field("name"));
  if (view.name.empty()) view.problem = "Give it a name.";
  if (view.name.size() > kMostName) {
    view.name = shortened(view.name, kMostName);
    view.problem = "Give it a shorter name.";
  }
  if (!view.problem.empty()) return show_passwords(visit, place, view);
  WebMakePassword question;
  question.subject = place.account;
  question.name = view.name;
  visit->ask<WebMakePassword>(std::move(question), [visit, place, view](WebDone& done) {
    if (done.kind == po::Kind::kTemporary) return visit->refuse(503, "Not possible just now", done.text);
    MakingView next;
    if (done.kind == po::Kind::kDone) {
      next.made = view.name;
      next.secret = done.secret;
    } else {
      next.name = view.name;
      next.problem = !done.problems.empty() ? done.problems[0].rule : done.text;
    }
    show_passwords(visit, place, next);
  });
}

void show_revocation(const VisitPtr& visit, const AccessPlace& place, std::uint64_t id) {
  with_access(visit, place, [visit, place, id](WebAccess& access) {
    auto found = std::find_if(access.passwords.begin(), access.passwords.end(),
                              [id](const auto& p) { return p.id == id; });
    if (found == access.passwords.end()) return visit->not_found();
    Page page = place.page("/passwords", "Revoke " + found->name);
    Html& h = page.body;
    h.element("p", {{"class", "lead"}},
              "Whatever logs in with this password cannot do so any more. It cannot be had back; another can "
              "be made.");
    visit->open_form(h, fmt::format("{}/passwords/{}/revoke", place.base, id));
    h.open("div", {{"class", "actions"}})
        .element("button", {{"type", "submit"}, {"class", "danger"}}, "Revoke it");
    h.element("a", {{"class", "button"}, {"href", place.base + "/passwords"}}, "Keep it")
        .close("div")
        .close("form");
    visit->show(std::move(page));
  });
}

void revoke_password(const VisitPtr& visit, const AccessPlace& place, std::uint64_t id) {
  if (id > UINT32_MAX) return visit->not_found();
  WebRevokePassword question;
  question.subject = place.account;
  question.id = static_cast<std::uint32_t>(id);
  visit->ask<WebRevokePassword>(std::move(question), [visit, place](WebDone& done) {
    bool good = done.kind == po::Kind::kDone;
    visit->see_other(place.base + "/passwords",
                     good ? "The password is revoked" : "Not revoked: " + done.text,
                     good ? Tone::kDone : Tone::kProblem);
  });
}

// ---- sign-ins

void write_sign_in(Html& h, const WebAccess::SignIn& sign_in) {
  bool refused = sign_in.by.starts_with("refused");
  h.open("tr").open("th", {{"scope", "row"}});
  write_time(h, sign_in.last);
  h.close("th");
  h.element("td", {{"data-label", "Service"}}, sign_in.service);
  h.element("td", {{"data-label", "From"}}, sign_in.from);
  h.open("td", {{"data-label", "With"}})
      .element("span", {{"class", refused ? "tag warning" : "tag"}}, sign_in.by)
      .close("td");
  h.element("td", {{"class", "right"}, {"data-label", "Times"}}, std::to_string(sign_in.count)).close("tr");
}

void show_sign_ins(const VisitPtr& visit, const AccessPlace& place) {
  with_access(visit, place, [visit, place](WebAccess& access) {
    Page page = place.page("/sign-ins", "Sign-ins");
    page.wide = true;
    Html& h = page.body;
    h.element("p", {{"class", "lead"}},
              "Who used this account, and who tried. If something here was not you, change the password "
              "and revoke the application password that is named.");
    if (access.sign_ins.empty()) h.element("p", {{"class", "blank"}}, "Nobody has logged in yet.");
    if (!access.sign_ins.empty()) {
      h.open("table", {{"class", "list"}})
          .element("caption", {{"class", "unseen"}}, "Sign-ins, the last first");
      h.open("thead").open("tr");
      for (std::string_view title : {"Last", "Service", "From", "With"})
        h.element("th", {{"scope", "col"}}, title);
      h.element("th", {{"scope", "col"}, {"class", "right"}}, "Times")
          .close("tr")
          .close("thead")
          .open("tbody");
      std::size_t most = std::min<std::size_t>(access.sign_ins.size(), 100);
      for (std::size_t i = 0; i < most; ++i) write_sign_in(h, access.sign_ins[i]);
      h.close("tbody").close("table");
    }
    visit->show(std::move(page));
  });
}

}  // namespace

void add_access_pages(Routes& routes) {
  routes.add({.pattern = "/account/passwords",
              .get = [](const VisitPtr& v) { show_passwords(v, own_access(*v), {}); },
              .post = [](const VisitPtr& v) { make_password(v, own_access(*v)); }});
  routes.add({.pattern = "/account/passwords/:/revoke",
              .get = [](const VisitPtr& v) { show_revocation(v, own_access(*v), v->number(0)); },
              .post = [](const VisitPtr& v) { revoke_password(v, own_access(*v), v->number(0)); }});
  routes.add(
      {.pattern = "/account/sign-ins", .get = [](const VisitPtr& v) { show_sign_ins(v, own_access(*v)); }});
  routes.add({.pattern = "/accounts/:/passwords",
              .get = [](const VisitPtr& v) { show_passwords(v, any_access(*v), {}); },
              .post = [](const VisitPtr& v) { make_password(v, any_access(*v)); }});
  routes.add({.pattern = "/accounts/:/passwords/:/revoke",
              .get = [](const VisitPtr& v) { show_revocation(v, any_access(*v), v->number(1)); },
              .post = [](const VisitPtr& v) { revoke_password(v, any_access(*v), v->number(1)); }});
  routes.add({.pattern = "/accounts/:/sign-ins",
              .get = [](const VisitPtr& v) { show_sign_ins(v, any_access(*v)); }});
}

}  // namespace wwwd
