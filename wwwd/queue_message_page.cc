// One message that waits: its envelope, recipients with their attempts, header; and its content as text.
#include <fmt/format.h>

#include <memory>

#include "lib/text.h"
#include "wwwd/command_answer.h"
#include "wwwd/queue_page.h"
#include "wwwd/visit.h"
#include "wwwd/words.h"

namespace wwwd {

using po::messages::Role;

namespace {

constexpr std::size_t kMostShownRecipients = 50;
constexpr std::size_t kMostHeader = 12 * 1024;

void write_row(Html& h, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  h.element("dt", name).element("dd", value);
}

std::string origin_text(const Json& m) {
  if (!m["client"].text().empty()) return m["client"].text();
  if (m["local_uid"].is_number())
    return fmt::format("a program of local user {} on this host", m["local_uid"].count());
  return "this system itself";
}

void write_envelope(Html& h, const Json& m, std::time_t now) {
  auto arrival = parse_time(m["arrival"].text());
  h.open("dl", {{"class", "facts"}});
  write_row(h, "Sender", shown_sender(shortened(m["sender"].text(), 400)));
  h.element("dt", "Arrived").open("dd");
  write_time(h, arrival);
  if (arrival) h.text(fmt::format(" UTC, {} ago", span_text(now - *arrival)));
  h.close("dd");
  write_row(h, "Size", octets_text(m["size"].count()));
  write_row(h, "Came from", shortened(origin_text(m), 400));
  if (std::uint64_t account = m["account"].count(); account != 0) {
    h.element("dt", "Account").open("dd");
    h.link(fmt::format("/accounts/{}", account), fmt::format("number {}", account)).close("dd");
  }
  write_row(h, "Session", shortened(m["session"].text(), 100));
  write_row(h, "Return on failure",
            m["ret"].text() == "FULL"   ? "the whole message"
            : m["ret"].text() == "HDRS" ? "its header"
                                        : "");
  write_row(h, "Sender's own id", shortened(m["envid"].text(), 200));
  h.close("dl");
}

void write_attempts(Html& h, const QueueRecipient& r) {
  if (r.last.empty()) {
    h.element("p", {{"class", "hint"}}, "Not tried yet.");
    return;
  }
  h.open("ol", {{"class", "attempts"}});
  for (auto a = r.last.rbegin(); a != r.last.rend(); ++a) {
    h.open("li");
    write_time(h, a->at);
    if (!a->host.empty()) h.text(" ").element("span", {{"class", "host"}}, a->host);
    h.element("p", {{"class", "reply"}}, shortened(a->reply, 500));
    h.close("li");
  }
  h.close("ol");
  if (r.attempts > r.last.size())
    h.element("p", {{"class", "hint"}},
              fmt::format("The last {} of {}.", r.last.size(), count_of(r.attempts, "attempt")));
}

void write_recipient(Html& h, const QueueRecipient& r, std::time_t now) {
  h.open("section", {{"class", "card"}});
  h.open("h3").text(r.address).text(" ");
  write_state(h, r.state);
  h.close("h3");
  h.open("dl", {{"class", "facts"}});
  write_row(h, "Given as", r.original);
  h.element("dt", "Next host").open("dd").text(r.hop).text(" ");
  h.link("/route?address=" + encode_component(r.address), "why?").close("dd");
  h.element("dt", "Next attempt").open("dd");
  write_next(h, r, now);
  h.close("dd").close("dl");
  write_attempts(h, r);
  h.close("section");
}

void write_recipients(Html& h, const Json& m, std::time_t now) {
  const auto& all = m["recipients"].items();
  h.element("h2", count_of(all.size(), "recipient") + (all.size() == 1 ? " waits" : " wait"));
  for (std::size_t i = 0; i < all.size() && i < kMostShownRecipients; ++i)
    write_recipient(h, read_queue_recipient(all[i]), now);
  if (all.size() > kMostShownRecipients)
    h.element("p",
              fmt::format("The first {} are shown; the list of the queue has all.", kMostShownRecipients));
}

/// As plain text, whatever it holds: control characters but tab and line end would be invisible or worse.
std::string plain_text(std::string_view octets, std::size_t most) {
  std::string out = shortened(octets, most);
  for (char& c : out)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f) c = '?';
  return out;
}

void write_text(Html& h, std::string_view label, std::string_view text) {
  h.element("pre", {{"class", "letter"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", label}}, text);
}

Page page_of(const std::string& id, std::string title) {
  Page page;
  page.title = std::move(title);
  page.place = "/queue";
  page.crumbs = {{"/queue", "Queue"}};
  if (page.title != "Message " + id) page.crumbs.push_back({"/queue/" + id, "Message " + id});
  return page;
}

/// What waits no more has a story all the same.
void show_gone(const VisitPtr& visit, const std::string& id, const Printed& printed) {
  Page page = page_of(id, "Message " + id);
  page.status = printed.exit_code == 75 ? 503 : 404;
  if (page.status == 503) {
    page.notices.push_back(failure_notice("The message cannot be shown", printed));
  } else {
    page.body.element(
        "p",
        "Nothing of this message waits: it was delivered, returned or discarded, or there never was one.");
  }
  page.body.open("p").link("/story?about=" + id, "What became of it").close("p");
  visit->show(std::move(page));
}

struct MessageParts {
  Printed envelope, header;
  int open = 2;
};

void show_message(const VisitPtr& visit, const MessageParts& parts) {
  const std::string& id = visit->part(0);
  Json m = json_of(parts.envelope);
  if (m.is_null()) return show_gone(visit, id, parts.envelope);
  std::time_t now = std::time(nullptr);
  Page page = page_of(id, "Message " + id);
  Html& h = page.body;
  write_envelope(h, m, now);
  h.open("p", {{"class", "links"}});
  h.link("/story?about=" + id, "Story of this message").text(" ");
  h.link("/queue/" + id + "/content", "Content").close("p");
  visit->open_form(h, "/queue/act", {{"id", id}, {"scope", "selected"}, {"from", "message"}});
  h.element("h2", {{"class", "unseen"}}, "Actions");
  write_queue_buttons(h);
  h.close("form");
  write_recipients(h, m, now);
  h.element("h2", "Header");
  if (parts.header.exit_code != 0) {
    h.element("p", failure_text(parts.header));
  } else {
    write_text(h, "Header", plain_text(parts.header.out, kMostHeader));
  }
  visit->show(std::move(page));
}

void message_page(const VisitPtr& visit) {
  const std::string& id = visit->part(0);
  if (!is_message_id(id)) return visit->not_found();
  auto parts = std::make_shared<MessageParts>();
  auto take = [visit, parts](Printed MessageParts::*where, Printed& printed) {
    (*parts).*where = std::move(printed);
    if (--parts->open == 0) show_message(visit, *parts);
  };
  visit->collect(Role::kQueue, {"queue", "show", id, "--json"},
                 [take](Printed& p) { take(&MessageParts::envelope, p); });
  visit->collect(Role::kQueue, {"queue", "show", id, "--headers"},
                 [take](Printed& p) { take(&MessageParts::header, p); });
}

void content_page(const VisitPtr& visit) {
  const std::string& id = visit->part(0);
  if (!is_message_id(id)) return visit->not_found();
  visit->collect(Role::kQueue, {"queue", "show", id, "--content"}, [visit](Printed& printed) {
    const std::string& of = visit->part(0);
    if (printed.exit_code != 0 && printed.out.empty()) return show_gone(visit, of, printed);
    Page page = page_of(of, "Content of message " + of);
    bool broken_off = printed.exit_code != 0;
    bool whole = !printed.cut && printed.out.size() <= kMostContent;
    if (broken_off) page.notices.push_back(failure_notice("This is not all of it", printed));
    page.body.element(
        "p", {{"class", "hint"}},
        broken_off ? "What could be read of it, as it came, as plain text."
        : whole
            ? "All of it, as it came, as plain text."
            : fmt::format("The first {} as it came, as plain text. On the command line, post.office queue "
                          "show {} --content prints the rest.",
                          octets_text(kMostContent), of));
    write_text(page.body, "Content", plain_text(printed.out, kMostContent));
    visit->show(std::move(page));
  });
}

}  // namespace

void add_queue_message_pages(Routes& routes) {
  routes.add({.pattern = "/queue/*", .get = message_page});
  routes.add({.pattern = "/queue/*/content", .get = content_page});
}

}  // namespace wwwd
