#include "wwwd/page.h"

#include <initializer_list>

#include "wwwd/static_files.h"

namespace wwwd {
namespace {

struct Entry {
  std::string_view path, title;
};

constexpr Entry kPostmasterEntries[] = {
    {"/", "Overview"},         {"/accounts", "Accounts"},        {"/queue", "Queue"},
    {"/story", "Messages"},    {"/route", "Routing rehearsal"},  {"/setup", "Set-up check"},
    {"/settings", "Settings"}, {"/import", "Import and export"},
};
constexpr Entry kOwnEntries[] = {
    {"/account", "Your account"},
    {"/account/passwords", "Application passwords"},
    {"/account/sign-ins", "Sign-ins"},
    {"/account/history", "History"},
};
constexpr Entry kUserEntries[] = {
    {"/account", "Your account"},
    {"/story", "Your messages"},
    {"/account/passwords", "Application passwords"},
    {"/account/sign-ins", "Sign-ins"},
    {"/account/history", "History"},
};

void write_entry(Html& h, const Entry& entry, std::string_view place) {
  h.open("li");
  if (entry.path == place) {
    h.element("a", {{"href", entry.path}, {"aria-current", "page"}}, entry.title);
  } else {
    h.link(entry.path, entry.title);
  }
  h.close("li");
}

template <class Entries>
void write_entries(Html& h, const Entries& entries, std::string_view place) {
  h.open("ul");
  for (const Entry& entry : entries) write_entry(h, entry, place);
  h.close("ul");
}

void write_navigation(Html& h, const Viewer& viewer, std::string_view place) {
  h.open("nav", {{"class", "places"}, {"aria-label", "Main"}});
  if (viewer.postmaster) {
    write_entries(h, kPostmasterEntries, place);
    h.element("p", {{"class", "places-title"}}, "You");
    write_entries(h, kOwnEntries, place);
  } else {
    write_entries(h, kUserEntries, place);
  }
  h.close("nav");
}

void write_who(Html& h, const Viewer& viewer) {
  h.open("div", {{"class", "who"}});
  h.open("p");
  h.element("span", {{"class", "who-name"}}, viewer.name.empty() ? viewer.address : viewer.name);
  h.element("span", {{"class", "who-address"}}, viewer.address);
  h.close("p");
  h.open("form", {{"method", "post"}, {"action", "/log-out"}});
  h.empty("input", {{"type", "hidden"}, {"name", "seal"}, {"value", viewer.seal}});
  h.element("button", {{"type", "submit"}, {"class", "quiet"}}, "Log out");
  h.close("form").close("div");
}

void write_head(Html& h, const Page& page, const Viewer* viewer, std::string_view host) {
  h.open("head").empty("meta", {{"charset", "utf-8"}});
  h.element("title", page.title + " – " + std::string(host));
  h.empty("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
  h.empty("meta", {{"name", "color-scheme"}, {"content", "light dark"}});
  h.empty("meta", {{"name", "referrer"}, {"content", "same-origin"}});
  h.empty("link", {{"rel", "stylesheet"}, {"href", style_path()}});
  h.empty("link", {{"rel", "icon"}, {"type", "image/svg+xml"}, {"href", icon_path()}});
  if (viewer != nullptr) h.script(script_path());
  h.close("head");
}

void write_banner(Html& h, const Viewer* viewer, std::string_view host) {
  h.open("header", {{"class", "banner"}});
  h.open("a", {{"class", "brand"}, {"href", "/"}});
  h.element("span", {{"class", "brand-name"}}, "Post.Office");
  h.element("span", {{"class", "brand-host"}}, host);
  h.close("a");
  if (viewer != nullptr) write_who(h, *viewer);
  h.close("header");
}

std::string_view tone_class(Tone tone) {
  switch (tone) {
    case Tone::kDone:
      return "notice done";
    case Tone::kNote:
      break;
    case Tone::kWarning:
      return "notice warning";
    case Tone::kProblem:
      return "notice problem";
  }
  return "notice";
}

void write_notice(Html& h, const Notice& notice) {
  bool urgent = notice.tone == Tone::kProblem;
  h.open("div", {{"class", tone_class(notice.tone)}, {"role", urgent ? "alert" : "status"}});
  h.element("p", {{"class", "notice-title"}}, notice.title);
  h.add(notice.more);
  h.close("div");
}

void write_crumbs(Html& h, const Page& page) {
  if (page.crumbs.empty()) return;
  h.open("nav", {{"class", "crumbs"}, {"aria-label", "Breadcrumb"}}).open("ol");
  for (const Crumb& crumb : page.crumbs) h.open("li").link(crumb.path, crumb.title).close("li");
  h.close("ol").close("nav");
}

void write_main(Html& h, const Page& page) {
  h.open("main", {{"id", "main"}, {"tabindex", "-1"}, {"class", page.wide ? "wide" : "narrow"}});
  write_crumbs(h, page);
  h.element("h1", page.title);
  for (const Notice& notice : page.notices) write_notice(h, notice);
  h.add(page.body);
  h.close("main");
}

}  // namespace

std::string render_page(const Page& page, const Viewer* viewer, std::string_view host) {
  Html h;
  h.open("html", {{"lang", "en"}});
  write_head(h, page, viewer, host);
  h.open("body", {{"class", viewer == nullptr ? "alone" : "framed"}});
  h.element("a", {{"class", "skip"}, {"href", "#main"}}, "Skip to the content");
  write_banner(h, viewer, host);
  if (viewer != nullptr) write_navigation(h, *viewer, page.place);
  write_main(h, page);
  h.close("body").close("html");
  return "<!DOCTYPE html>\n" + h.str();
}

}  // namespace wwwd
