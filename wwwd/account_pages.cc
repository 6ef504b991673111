// For a Postmaster: the List of Accounts, and of one account its Account Data, lock, history and removal.
#include <fmt/format.h>

#include "lib/form/forms.h"
#include "wwwd/account_place.h"
#include "wwwd/form_page.h"
#include "wwwd/form_visit.h"
#include "wwwd/list_visit.h"
#include "wwwd/pages.h"
#include "wwwd/words.h"

namespace wwwd {

using namespace po::messages;

std::string account_path(std::uint64_t account, std::string_view below) {
  return fmt::format("/accounts/{}{}", account, below);
}

void write_account_tabs(Html& h, std::uint64_t account, std::string_view here) {
  static constexpr std::pair<std::string_view, std::string_view> kTabs[] = {
      {"", "Account Data"},
      {"/passwords", "Application passwords"},
      {"/sign-ins", "Sign-ins"},
      {"/history", "History"}};
  h.open("nav", {{"class", "tabs"}, {"aria-label", "This account"}}).open("ul");
  for (auto [below, title] : kTabs) {
    h.open("li");
    if (below == here) {
      h.element("a", {{"href", account_path(account, below)}, {"aria-current", "page"}}, title);
    } else {
      h.link(account_path(account, below), title);
    }
    h.close("li");
  }
  h.close("ul").close("nav");
}

namespace {

constexpr std::uint32_t kRows = 50;

// ---- the list

struct Column {
  std::string_view key, title;
  WebSort sort;
};
constexpr Column kColumns[] = {{"address", "Primary address", WebSort::kAddress},
                               {"name", "Name", WebSort::kName},
                               {"number", "Number", WebSort::kNumber}};

/// What the list is asked for, by its address.
struct ListView {
  std::string search;
  const Column* column = &kColumns[0];
  bool descending = false;
  std::uint64_t page = 1;

  [[nodiscard]] std::string path(const Column& by, bool down, std::uint64_t at) const {
    std::string out = fmt::format("/accounts?sort={}", by.key);
    if (down) out += "&down=1";
    if (!search.empty()) out += "&find=" + encode_component(search);
    if (at > 1) out += fmt::format("&page={}", at);
    return out;
  }
};

ListView list_view(const Visit& visit) {
  ListView view;
  view.search = std::string(visit.query("find").substr(0, 500));
  for (const Column& column : kColumns)
    if (visit.query("sort") == column.key) view.column = &column;
  view.descending = visit.query("down") == "1";
  view.page = std::min<std::uint64_t>(parse_number(visit.query("page")).value_or(1), 1'000'000);
  return view;
}

void write_list_head(Html& h, const ListView& view) {
  h.open("thead").open("tr");
  for (const Column& column : kColumns) {
    bool here = &column == view.column;
    std::string_view order = !here ? "none" : view.descending ? "descending" : "ascending";
    h.open("th", {{"scope", "col"}, {"aria-sort", order}, {"class", column.key == "number" ? "right" : ""}});
    h.link(view.path(column, here && !view.descending, 1), column.title).close("th");
  }
  h.element("th", {{"scope", "col"}, {"class", "right"}}, "Addresses");
  h.element("th", {{"scope", "col"}}, "Delivery");
  h.element("th", {{"scope", "col"}}, "State").close("tr").close("thead");
}

std::string_view delivery_of(const WebAccounts::Row& row) {
  if (row.mailbox) return row.forwards ? "mailbox, forwarded" : "mailbox";
  return row.forwards ? "forwarded" : "none";
}

void write_row(Html& h, const WebAccounts::Row& row) {
  h.open("tr").open("th", {{"scope", "row"}});
  h.link(account_path(row.id), row.address).close("th");
  h.element("td", {{"data-label", "Name"}}, row.name);
  h.element("td", {{"class", "right"}, {"data-label", "Number"}}, std::to_string(row.id));
  h.element("td", {{"class", "right"}, {"data-label", "Addresses"}}, std::to_string(row.addresses));
  h.element("td", {{"data-label", "Delivery"}}, delivery_of(row));
  h.open("td", {{"data-label", "State"}});
  h.element("span", {{"class", row.locked ? "tag warning" : "tag"}}, row.locked ? "locked" : "open");
  h.close("td").close("tr");
}

void write_pager(Html& h, const ListView& view, std::uint64_t total) {
  std::uint64_t last = std::max<std::uint64_t>(1, (total + kRows - 1) / kRows);
  if (last == 1) return;
  h.open("nav", {{"class", "pager"}, {"aria-label", "Pages of the list"}}).open("ul");
  auto step = [&](std::uint64_t to, std::string_view title, bool possible) {
    h.open("li");
    if (possible) {
      h.link(view.path(*view.column, view.descending, to), title);
    } else {
      h.element("span", title);
    }
    h.close("li");
  };
  step(1, "First", view.page > 1);
  step(view.page - 1, "Previous", view.page > 1);
  h.open("li")
      .element("span", {{"aria-current", "page"}, {"class", "here"}},
               fmt::format("Page {} of {}", view.page, last))
      .close("li");
  step(view.page + 1, "Next", view.page < last);
  step(last, "Last", view.page < last);
  h.close("ul").close("nav");
}

void write_search(Html& h, const ListView& view, const WebAccounts& list) {
  h.open("div", {{"class", "tools"}});
  h.open("form", {{"method", "get"}, {"action", "/accounts"}, {"role", "search"}, {"class", "search"}});
  h.element("label", {{"for", "find"}}, "Search");
  h.empty("input", {{"type", "search"},
                    {"id", "find"},
                    {"name", "find"},
                    {"value", view.search},
                    {"aria-describedby", "find-hint"}});
  h.empty("input", {{"type", "hidden"}, {"name", "sort"}, {"value", view.column->key}});
  h.element("button", {{"type", "submit"}}, "Search").close("form");
  h.element("a", {{"class", "button primary"}, {"href", "/accounts/new"}}, "Add an account").close("div");
  h.element(
      "p", {{"class", "hint"}, {"id", "find-hint"}},
      view.search.empty()
          ? fmt::format(
                "{} accounts. Names, addresses and log-in names are searched; * stands for any letters.",
                list.all)
          : fmt::format("{} of {} accounts match.", list.total, list.all));
  if (!view.search.empty()) h.open("p").link("/accounts", "Show all accounts").close("p");
}

void write_list(Html& h, const ListView& view, const WebAccounts& list) {
  write_search(h, view, list);
  if (list.rows.empty()) {
    h.element("p", {{"class", "blank"}}, "No account matches.");
    return;
  }
  h.open("table", {{"class", "list"}});
  h.element("caption", {{"class", "unseen"}}, "Accounts");
  write_list_head(h, view);
  h.open("tbody");
  for (const WebAccounts::Row& row : list.rows) write_row(h, row);
  h.close("tbody").close("table");
}

WebAskAccounts question_of(const ListView& view) {
  WebAskAccounts question;
  question.search = view.search;
  question.sort = view.column->sort;
  question.descending = view.descending;
  question.offset = static_cast<std::uint32_t>((view.page - 1) * kRows);
  question.limit = kRows;
  return question;
}

}  // namespace

WebAskAccounts first_accounts() {
  WebAskAccounts question = question_of({});
  question.limit = 20;
  return question;
}

void write_accounts(Html& h, const WebAccounts& list) {
  write_list(h, {}, list);
  if (list.rows.size() < list.all) h.open("p").link("/accounts", "All accounts").close("p");
}

namespace {

FormPlace account_place(std::uint64_t account);

/// After a removal: what was removed, and a way back.
void with_removal_notice(const VisitPtr& visit, std::function<void(std::vector<Notice>)> then) {
  auto removed = parse_number(visit->query("removed"));
  if (!removed) return then({});
  WebAskHistory question;
  question.form = form::account_data().name;
  question.subject = *removed;
  question.limit = 1;
  visit->ask<WebAskHistory>(std::move(question), [visit, removed,
                                                  then = std::move(then)](WebHistory& history) {
    if (history.entries.empty() || !history.entries[0].can_undo) return then({});
    Notice notice{Tone::kDone, fmt::format("Account {} was removed", *removed), {}};
    visit->open_form(notice.more, account_path(*removed, "/undo"),
                     {{"revision", std::to_string(history.entries[0].revision)}});
    notice.more.element("p", "Undo makes the account again, without a password and without mail.");
    notice.more.element("button", {{"type", "submit"}, {"class", "small"}}, "Undo the removal").close("form");
    std::vector<Notice> notices;
    notices.push_back(std::move(notice));
    then(std::move(notices));
  });
}

void show_list(const VisitPtr& visit) {
  with_removal_notice(visit, [visit](std::vector<Notice> notices) {
    ListView view = list_view(*visit);
    visit->ask<WebAskAccounts>(
        question_of(view), [visit, view, notices = std::move(notices)](WebAccounts& list) {
          if (list.kind != po::Kind::kDone)
            return visit->refuse(list.kind == po::Kind::kPermanent ? 422 : 503, "No list", list.text);
          Page page;
          page.title = "List of Accounts";
          page.place = "/accounts";
          page.wide = true;
          page.notices = notices;
          write_list(page.body, view, list);
          write_pager(page.body, view, list.total);
          visit->show(std::move(page));
        });
  });
}

// ---- one account

std::string first_of(const form::Values& values, std::string_view field) {
  const auto& list = form::values_of(values, field);
  return list.empty() ? std::string() : list[0];
}

std::string account_title(const form::Values& values) {
  std::string address = first_of(values, "Internet-Addresses");
  return address.empty() ? "Account Data" : address;
}

void write_account_actions(Html& h, const Visit& visit, std::uint64_t account, const form::Values& values) {
  bool locked = first_of(values, "Account-Locked") == "yes";
  h.open("section", {{"class", "danger-zone"}}).element("h2", "Lock and remove");
  visit.open_form(h, account_path(account, "/lock"), {{"locked", locked ? "no" : "yes"}});
  h.element("button", {{"type", "submit"}}, locked ? "Unlock this account" : "Lock this account");
  h.element("p", {{"class", "hint"}},
            locked
                ? "It keeps its password and can be used again at once."
                : "Nobody can use it until it is unlocked; its password is kept and its mail still arrives.");
  h.close("form");
  h.open("p")
      .element("a", {{"class", "button danger"}, {"href", account_path(account, "/remove")}},
               "Remove this account...")
      .close("p");
  h.close("section");
}

FormPlace account_place(std::uint64_t account) {
  FormPlace place;
  place.form = &form::account_data();
  place.subject = account;
  place.path = account_path(account);
  place.place = "/accounts";
  place.crumbs = {{"/accounts", "Accounts"}};
  place.title_from = account_title;
  place.tabs = [account](Html& h, std::string_view here) { write_account_tabs(h, account, here); };
  return place;
}

void show_account(const VisitPtr& visit) {
  FormPlace place = account_place(visit->number(0));
  // Number 1 is the Postmaster, who cannot be removed.
  if (place.subject != 1) {
    place.below = [visit, account = place.subject](Html& h, const form::Values& values) {
      write_account_actions(h, *visit, account, values);
    };
  }
  show_form(visit, place);
}

FormPlace new_place() {
  FormPlace place = account_place(0);
  place.path = "/accounts/new";
  place.title_from = {};
  place.title = "Add an account";
  place.button = "Add the account";
  place.tabs = {};
  return place;
}

void add_account(const VisitPtr& visit) {
  submit_form(visit, new_place(), [](const WebDone& done) { return account_path(done.subject); });
}

void lock_account(const VisitPtr& visit) {
  std::uint64_t account = visit->number(0);
  with_form(visit, form::account_data().name, account, [visit, account](WebForm& form) {
    WebSubmitForm question;
    question.what = WebSubmit::kSet;
    question.form = form::account_data().name;
    question.subject = account;
    question.revision = form.revision;
    question.values = {{"Account-Locked", {visit->field("locked") == "no" ? "no" : "yes"}}};
    visit->ask<WebSubmitForm>(std::move(question), [visit, account](WebDone& done) {
      if (done.kind != po::Kind::kDone)
        return visit->see_other(account_path(account), done.text, Tone::kProblem);
      visit->see_other(fmt::format("{}?changed={}", account_path(account), done.revision));
    });
  });
}

// ---- removal

constexpr std::size_t kMostAddress = 320;  // octets (RFC 5321 4.5.3.1)

struct RemovalView {
  std::string choice, to, problem;
};

void show_removal(const VisitPtr& visit, const RemovalView& view) {
  std::uint64_t account = visit->number(0);
  with_form(visit, form::account_data().name, account, [visit, account, view](WebForm& form) {
    std::string title = account_title(to_values(form.values));
    Page page;
    page.title = "Remove " + title;
    page.place = "/accounts";
    page.crumbs = {{"/accounts", "Accounts"}, {account_path(account), title}};
    page.status = view.problem.empty() ? 200 : 422;
    if (!view.problem.empty()) {
      Notice notice{Tone::kProblem, "Nothing was removed", {}};
      notice.more.open("p").link(view.choice == "hand" ? "#to" : "#delete", view.problem).close("p");
      page.notices.push_back(std::move(notice));
    }
    Html& h = page.body;
    h.element("p", {{"class", "lead"}},
              "The account, its addresses and its passwords go. What it has sent stays on its way.");
    visit->open_form(h, account_path(account, "/remove"));
    h.open("fieldset", {{"class", "choices"}}).element("legend", "What becomes of the mail in its mailbox?");
    h.open("label", {{"for", "delete"}});
    h.empty("input", {{"type", "radio"},
                      {"id", "delete"},
                      {"name", "mail"},
                      {"value", "delete"},
                      {"checked", view.choice == "delete"}});
    h.text(" It is deleted").close("label");
    h.open("label", {{"for", "hand"}});
    h.empty("input", {{"type", "radio"},
                      {"id", "hand"},
                      {"name", "mail"},
                      {"value", "hand"},
                      {"checked", view.choice == "hand"}});
    h.text(" It goes to another account").close("label");
    h.open("div", {{"class", "row indent"}});
    h.element("label", {{"for", "to"}}, "Address of that account");
    h.empty("input", {{"type", "text"},
                      {"id", "to"},
                      {"name", "to"},
                      {"inputmode", "email"},
                      {"autocomplete", "off"},
                      {"class", "line"},
                      {"maxlength", kMostAddress},
                      {"value", view.to},
                      html::Attribute::unless_empty(
                          "aria-invalid", view.choice == "hand" && !view.problem.empty() ? "true" : "")});
    if (view.choice == "hand" && !view.problem.empty())
      h.open("div", {{"class", "error"}}).element("p", view.problem).close("div");
    h.close("div").close("fieldset");
    h.open("div", {{"class", "actions"}});
    h.element("button", {{"type", "submit"}, {"class", "danger"}}, "Remove the account");
    h.element("a", {{"class", "button"}, {"href", account_path(account)}}, "Keep it")
        .close("div")
        .close("form");
    visit->show(std::move(page));
  });
}

void remove_account(const VisitPtr& visit) {
  RemovalView view{std::string(visit->field("mail")), std::string(visit->field("to")), {}};
  if (view.choice != "delete" && view.choice != "hand") view.problem = "Say what becomes of the mail.";
  if (view.choice == "hand" && view.to.empty())
    view.problem = "Give an address of the account that gets the mail.";
  if (view.to.size() > kMostAddress) {
    view.to = shortened(view.to, kMostAddress);
    view.problem = "Give an address of the account that gets the mail: this is none.";
  }
  if (!view.problem.empty()) return show_removal(visit, view);
  WebRemove question;
  question.subject = visit->number(0);
  question.mail = view.choice == "hand" ? MailOf::kHandOver : MailOf::kDelete;
  question.to = view.choice == "hand" ? view.to : std::string();
  visit->ask<WebRemove>(std::move(question), [visit, view](WebDone& done) {
    if (done.kind == po::Kind::kDone) return visit->see_other("/accounts?removed=" + visit->part(0));
    if (done.kind == po::Kind::kTemporary) return visit->refuse(503, "Not possible just now", done.text);
    RemovalView again = view;
    again.problem = !done.problems.empty() ? done.problems[0].rule : done.text;
    show_removal(visit, again);
  });
}

}  // namespace

void add_account_pages(Routes& routes) {
  routes.add({.pattern = "/accounts", .get = show_list});
  routes.add({.pattern = "/accounts/new",
              .get = [](const VisitPtr& v) { show_form(v, new_place()); },
              .post = add_account,
              .resumes = true});
  routes.add({.pattern = "/accounts/:",
              .get = show_account,
              .post = [](const VisitPtr& v) { submit_form(v, account_place(v->number(0))); },
              .resumes = true});
  routes.add({.pattern = "/accounts/:/history", .get = [](const VisitPtr& v) {
                FormPlace place = account_place(v->number(0));
                place.title = fmt::format("Account {}", place.subject);
                place.title_from = {};
                show_history(v, place);
              }});
  routes.add({.pattern = "/accounts/:/undo",
              .get = [](const VisitPtr& v) { v->see_other(account_path(v->number(0))); },
              .post = [](const VisitPtr& v) { undo_change(v, account_place(v->number(0))); }});
  routes.add({.pattern = "/accounts/:/list/*",
              .get = [](const VisitPtr& v) { show_long_list(v, account_place(v->number(0)), v->part(1)); },
              .post = [](const VisitPtr& v) { edit_long_list(v, account_place(v->number(0)), v->part(1)); }});
  routes.add({.pattern = "/accounts/:/lock",
              .get = [](const VisitPtr& v) { v->see_other(account_path(v->number(0))); },
              .post = lock_account});
  routes.add({.pattern = "/accounts/:/remove",
              .get = [](const VisitPtr& v) { show_removal(v, {}); },
              .post = remove_account});
}

}  // namespace wwwd
