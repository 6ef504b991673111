// Passwords for hosts that mail is sent on to: `post.office relay-password` as a page. A password is typed
// here and never shown.
#include <fmt/format.h>

#include <utility>
#include <vector>

#include "lib/text.h"
#include "wwwd/command_answer.h"
#include "wwwd/pages.h"
#include "wwwd/visit.h"
#include "wwwd/words.h"

namespace wwwd {
namespace {

constexpr std::string_view kPath = "/settings/relay-passwords";
constexpr std::size_t kMostTyped = 1024;  ///< octets of a field; the password's own bound

struct RelayPassword {
  std::string host, user;
  bool used = false;  ///< a route names it
};

/// Lines of `relay-password list`: "HOST USER", and "  (in no route)" behind some.
std::vector<RelayPassword> read_list(std::string_view out) {
  std::vector<RelayPassword> all;
  while (!out.empty()) {
    std::string_view line = out.substr(0, out.find('\n'));
    out.remove_prefix(std::min(out.size(), line.size() + 1));
    std::size_t host = line.find(' ');
    if (host == std::string_view::npos) continue;
    std::string_view user = line.substr(host + 1);
    std::size_t remark = user.find("  (");
    all.push_back({std::string(line.substr(0, host)), std::string(user.substr(0, remark)),
                   remark == std::string_view::npos});
  }
  return all;
}

/// What was typed and why it was not taken.
struct RelayView {
  std::string host, user, problem;
  int status = 200;
};

void write_row(Html& h, const Visit& visit, const RelayPassword& kept) {
  h.open("tr").element("th", {{"scope", "row"}}, kept.host);
  h.element("td", {{"data-label", "Log-in name"}}, kept.user);
  h.open("td", {{"data-label", "Used"}});
  h.element("span", {{"class", kept.used ? "tag" : "tag warning"}}, kept.used ? "by a route" : "by no route");
  h.close("td").open("td", {{"class", "right"}});
  visit.open_form(h, kPath, {{"what", "remove"}, {"host", kept.host}, {"user", kept.user}});
  h.open("button", {{"type", "submit"}, {"class", "small danger"}}).text("Remove");
  h.element("span", {{"class", "unseen"}}, fmt::format(" the password of {} at {}", kept.user, kept.host));
  h.close("button").close("form").close("td").close("tr");
}

void write_list(Html& h, const Visit& visit, const std::vector<RelayPassword>& all) {
  if (all.empty()) {
    h.element("p", {{"class", "blank"}}, "No password is kept.");
    return;
  }
  h.open("table", {{"class", "list"}}).element("caption", {{"class", "unseen"}}, "Relay passwords");
  h.open("thead").open("tr");
  for (std::string_view title : {"Host", "Log-in name", "Used"}) h.element("th", {{"scope", "col"}}, title);
  h.open("th", {{"scope", "col"}}).element("span", {{"class", "unseen"}}, "Remove").close("th");
  h.close("tr").close("thead").open("tbody");
  for (const RelayPassword& kept : all) write_row(h, visit, kept);
  h.close("tbody").close("table");
}

struct Input {
  std::string_view name, label, help, type, value;
};

void write_input(Html& h, const Input& input) {
  h.open("div", {{"class", "row"}}).open("div", {{"class", "head"}});
  h.element("label", {{"for", input.name}}, input.label);
  h.element("p", {{"class", "help"}, {"id", fmt::format("{}-help", input.name)}}, input.help).close("div");
  h.open("div", {{"class", "control"}});
  h.empty("input", {{"type", input.type},
                    {"id", input.name},
                    {"name", input.name},
                    {"class", "line"},
                    {"maxlength", kMostTyped},
                    {"autocomplete", input.type == "password" ? "new-password" : "off"},
                    {"autocapitalize", "none"},
                    {"spellcheck", "false"},
                    {"value", input.value},
                    {"required", true},
                    {"aria-describedby", fmt::format("{}-help", input.name)}});
  h.close("div").close("div");
}

void write_form(Html& h, const Visit& visit, const RelayView& view) {
  h.element("h2", "Set one");
  visit.open_form(h, kPath, {{"what", "set"}});
  h.open("div", {{"class", "fields"}});
  write_input(h, {"host", "Host", "As the route in Mail Routing names it.", "text", view.host});
  write_input(h, {"user", "Log-in name", "As the route has it behind user=.", "text", view.user});
  write_input(
      h, {"password", "Password", "Of that log-in. One that is kept already is replaced.", "password", {}});
  h.close("div").open("div", {{"class", "actions"}});
  h.element("button", {{"type", "submit"}, {"class", "primary"}}, "Set the password")
      .close("div")
      .close("form");
}

void show(const VisitPtr& visit, const RelayView& view) {
  if (!visit->viewer().postmaster) return visit->refuse_user();
  visit->collect_command({"relay-password", "list"}, {}, [visit, view](Printed& printed) {
    if (printed.exit_code != 0) return visit->refuse(503, "Not possible just now", failure_text(printed));
    Page page;
    page.title = "Relay passwords";
    page.place = "/settings";
    page.crumbs = {{"/settings", "Settings"}};
    page.status = view.status;
    if (!view.problem.empty()) {
      Notice notice{Tone::kProblem, "Nothing was changed", {}};
      notice.more.element("p", view.problem);
      page.notices.push_back(std::move(notice));
    }
    Html& h = page.body;
    h.open("p", {{"class", "lead"}}).text("Passwords for the hosts that mail is sent on to. A route in ");
    h.link("/settings/mail-routing", "Mail Routing")
        .text(" says with user= which log-in it needs.")
        .close("p");
    write_list(h, *visit, read_list(printed.out));
    write_form(h, *visit, view);
    visit->show(std::move(page));
  });
}

void change(const VisitPtr& visit) {
  if (!visit->viewer().postmaster) return visit->refuse_user();
  bool remove = visit->field("what") == "remove";
  RelayView view{
      std::string(po::trim(visit->field("host"))), std::string(po::trim(visit->field("user"))), {}};
  std::string_view password = visit->field("password");
  view.status = 422;
  if (view.host.empty() || view.user.empty()) {
    view.problem = "Give the host and the log-in name.";
  } else if (std::max({view.host.size(), view.user.size(), password.size()}) > kMostTyped) {
    view.problem = fmt::format("Host, name and password are at most {} octets long each.", kMostTyped);
  }
  if (!view.problem.empty()) return show(visit, view);
  std::string input = remove ? std::string() : fmt::format("{}\n", password);
  std::vector<std::string> words = {"relay-password", remove ? "remove" : "set", view.host, view.user};
  visit->collect_command(std::move(words), std::move(input), [visit, view, remove](Printed& printed) {
    if (printed.exit_code == 0)
      return visit->see_other(kPath, fmt::format("The password of {} at {} is {}", view.user, view.host,
                                                 remove ? "removed" : "set"));
    if (printed.exit_code == 77) return visit->refuse(403, "Nothing was changed", failure_text(printed));
    RelayView again = view;
    again.problem = failure_text(printed);
    if (printed.exit_code == 75) again.status = 503;
    show(visit, again);
  });
}

}  // namespace

void add_relay_page(Routes& routes) {
  routes.add({.pattern = kPath, .get = [](const VisitPtr& v) { show(v, {}); }, .post = change});
}

}  // namespace wwwd
