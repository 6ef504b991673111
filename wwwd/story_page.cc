#include "wwwd/story_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "lib/form/forms.h"
#include "lib/text.h"
#include "wwwd/command_answer.h"
#include "wwwd/form_visit.h"
#include "wwwd/queue_rows.h"
#include "wwwd/visit.h"
#include "wwwd/words.h"

namespace wwwd {

using namespace po::messages;

// ---- one message

namespace {

constexpr std::size_t kMostLines = 2000;     // of the log, for one page and the next ones
constexpr std::size_t kMostAddresses = 100;  // of one account

void write_badge(Html& h, std::string_view css, std::uint64_t n, std::uint64_t all, std::string_view word) {
  if (n == 0) return;
  h.text(" ").element("span", {{"class", css}},
                      all > 1 ? fmt::format("{} {}", count_text(n), word) : std::string(word));
}

void write_title(Html& h, const MessageStory& s) {
  std::string to = s.recipients.empty() ? "" : s.recipients.front();
  std::uint64_t more = std::max<std::uint64_t>(s.recipient_count, s.recipients.size());
  if (more > 1 && !to.empty()) to += fmt::format(" and {} more", count_text(more - 1));
  if (s.id.empty() && s.sender.empty() && to.empty()) {
    h.text("A session");
  } else {
    h.text(fmt::format("{} → {}", shown_sender(s.sender), to.empty() ? "?" : to));
  }
  std::uint64_t all = s.delivered + s.waiting + s.held + s.failed;
  write_badge(h, "tag good", s.delivered, all, "delivered");
  write_badge(h, "tag warning", s.waiting, all, "waiting");
  write_badge(h, "tag bad", s.held, all, "held");
  write_badge(h, "tag bad", s.failed, all, "failed");
  if (s.refused) h.text(" ").element("span", {{"class", "tag bad"}}, "refused");
}

void write_head(Html& h, const MessageStory& s, bool postmaster, bool alone) {
  h.open("p", {{"class", "under"}});
  write_time(h, s.begin());
  h.text(" UTC");
  if (!s.id.empty()) {
    h.text(", ");
    if (postmaster && !alone) {
      h.element("a", {{"href", "/story?about=" + s.id}, {"class", "id"}}, s.id);
    } else {
      h.element("span", {{"class", "id"}}, s.id);
    }
  }
  if (postmaster && s.waiting + s.held > 0) h.text(", ").link("/queue/" + s.id, "in the queue");
  if (!s.message_id.empty())
    h.text(", Message-ID ").element("span", {{"class", "id"}}, shortened(s.message_id, 200));
  h.close("p");
}

void write_event(Html& h, const StoryEvent& e, bool with_date) {
  h.open("li", {html::Attribute::unless_empty("class", is_trouble(e) ? "trouble" : "")});
  if (e.at) {
    h.element("time", {{"datetime", machine_time(*e.at)}},
              with_date ? time_text(*e.at) : time_text(*e.at).substr(11));
    h.text(" ");
  }
  h.text(event_sentence(e)).close("li");
}

void write_lines(Html& h, const MessageStory& s, std::size_t most) {
  std::string lines;
  for (const StoryEvent& e : s.events) {
    if (most-- == 0) break;
    lines += event_line(e) + "\n";
  }
  h.open("details").element("summary", "Lines of the log");
  h.element("pre",
            {{"class", "letter"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", "Lines of the log"}},
            shortened(lines, 24 * 1024));
  h.close("details");
}

}  // namespace

void write_story(Html& h, const MessageStory& s, bool postmaster, bool alone) {
  std::size_t most = alone ? kEventsInPage : kEventsInList, shown = 0, all = 0;
  h.open("section", {{"class", "card story"}}).open("h2");
  write_title(h, s);
  h.close("h2");
  write_head(h, s, postmaster, alone);
  h.open("ol", {{"class", "events"}});
  std::time_t day = s.begin().value_or(0) / 86400;
  for (const StoryEvent& e : s.events) {
    if (!(postmaster && alone) && !is_for_users(e)) continue;
    if (all++ >= most) continue;
    write_event(h, e, e.at && *e.at / 86400 != day);
    ++shown;
  }
  h.close("ol");
  if (shown < all)
    h.element("p", {{"class", "hint"}}, fmt::format("The first {} of {}.", shown, count_of(all, "event")));
  if (postmaster && alone) write_lines(h, s, kEventsInPage);
  h.close("section");
}

// ---- the page

namespace {

struct Asked {
  std::string about;  ///< as typed
  std::string days;   ///< "1", "7", "30" or "all"
  std::uint64_t page = 0;
};

Asked read_asked(const Visit& visit) {
  Asked asked;
  asked.about = shortened(po::trim(visit.query("about")), 1000);
  asked.days = visit.query("days");
  if (asked.days != "1" && asked.days != "30" && asked.days != "all") asked.days = "7";
  asked.page = std::min<std::uint64_t>(parse_number(visit.query("page")).value_or(0), 100'000);
  return asked;
}

struct Days {
  std::string_view value, text;
};
constexpr Days kDays[] = {
    {"1", "the last day"}, {"7", "7 days"}, {"30", "30 days"}, {"all", "all that the log has"}};

void write_days(Html& h, const Asked& asked) {
  h.open("div", {{"class", "filter-field"}}).element("label", {{"for", "days"}}, "Within");
  h.open("select", {{"id", "days"}, {"name", "days"}});
  for (const Days& d : kDays)
    h.element("option", {{"value", d.value}, {"selected", asked.days == d.value}}, d.text);
  h.close("select").close("div");
}

void write_about(Html& h, const Asked& asked) {
  h.open("div", {{"class", "filter-field grow"}});
  h.element("label", {{"for", "about"}}, "Address, id or Message-ID");
  h.empty("input", {{"id", "about"},
                    {"name", "about"},
                    {"type", "search"},
                    {"value", asked.about},
                    {"placeholder", "jane@podunk.edu"},
                    {"autocapitalize", "none"},
                    {"spellcheck", "false"},
                    {"maxlength", 1000},
                    {"autofocus", asked.about.empty()}});
  h.close("div");
}

void write_form(Html& h, const Asked& asked) {
  h.open("form", {{"method", "get"},
                  {"action", "/story"},
                  {"class", "filter"},
                  {"role", "search"},
                  {"aria-label", "Messages"}});
  write_about(h, asked);
  write_days(h, asked);
  h.open("div", {{"class", "filter-buttons"}}).element("button", {{"type", "submit"}}, "Show").close("div");
  h.close("form");
}

std::string page_address(const Asked& asked, std::uint64_t page) {
  return fmt::format("/story?about={}&days={}&page={}", encode_component(asked.about), asked.days, page);
}

void write_pager(Html& h, const Asked& asked, std::size_t stories) {
  bool more = (asked.page + 1) * kStoriesInPage < stories;
  if (asked.page == 0 && !more) return;
  h.open("nav", {{"class", "pager"}, {"aria-label", "Pages"}});
  if (asked.page > 0)
    h.element("a", {{"href", page_address(asked, asked.page - 1)}, {"rel", "prev"}}, "Newer");
  if (more) h.element("a", {{"href", page_address(asked, asked.page + 1)}, {"rel", "next"}}, "Older");
  h.close("nav");
}

Page begin_page(const Visit& visit, const Asked& asked) {
  Page page;
  page.title = visit.viewer().postmaster ? "Messages" : "Your messages";
  page.place = "/story";
  if (visit.viewer().postmaster) {
    write_form(page.body, asked);
  } else {
    page.body.element(
        "p", {{"class", "lead"}},
        "What became of mail that you sent, and what came for you of late, by all of your addresses.");
  }
  return page;
}

void write_empty(Html& h, const Asked& asked, bool postmaster) {
  const Days* days =
      std::find_if(std::begin(kDays), std::end(kDays), [&](const Days& d) { return d.value == asked.days; });
  h.element("p", {{"class", "blank"}},
            postmaster ? fmt::format("The log says nothing about {} within {}.", asked.about, days->text)
                       : std::string("There was none of late."));
}

void show_stories(const VisitPtr& visit, const Asked& asked, const Printed& printed) {
  Page page = begin_page(*visit, asked);
  Html& h = page.body;
  bool postmaster = visit->viewer().postmaster;
  bool nothing =
      printed.out.empty() && printed.exit_code == 1 && !printed.err.starts_with("post.office: trace:");
  if (printed.out.empty() && printed.exit_code != 0 && !nothing) {
    page.status = printed.exit_code == 75 ? 503 : 422;
    page.notices.push_back(failure_notice("The log could not be asked", printed));
    return visit->show(std::move(page));
  }
  if (printed.exit_code != 0 && !nothing)
    page.notices.push_back(
        failure_notice("The log could not be read to its end: there may be more", printed));
  std::vector<Json> lines = json_lines_of(printed);
  std::reverse(lines.begin(),
               lines.end());  // the newest came first, so that those are read when there are many
  std::vector<MessageStory> stories = tell_stories(lines);
  if (printed.cut || lines.size() >= kMostLines || (printed.exit_code == 0 && !printed.err.empty())) {
    Notice notice{Tone::kNote, "The newest are shown; there are more", {}};
    if (postmaster) notice.more.element("p", "Choose fewer days, or ask for one message by its id.");
    page.notices.push_back(std::move(notice));
  }
  std::size_t first = asked.page * kStoriesInPage, last = std::min(first + kStoriesInPage, stories.size());
  if (first >= stories.size()) write_empty(h, asked, postmaster);
  bool alone = stories.size() == 1;
  for (std::size_t i = first; i < last; ++i) write_story(h, stories[i], postmaster, alone);
  write_pager(h, asked, stories.size());
  visit->show(std::move(page));
}

void ask_story(const VisitPtr& visit, Asked asked, std::vector<std::string> which) {
  std::vector<std::string> words = {"trace", "--json", fmt::format("--limit={}", kMostLines)};
  words.insert(words.end(), which.begin(), which.end());
  visit->collect(Role::kStory, std::move(words), [visit, asked = std::move(asked)](Printed& printed) {
    show_stories(visit, asked, printed);
  });
}

/// A user may ask about his own addresses alone, and without what concerns others: accounts sees to both.
void ask_own(const VisitPtr& visit, Asked asked) {
  std::string_view readable = form::individual_account_information().name;  // an owner may read no other
  with_form(visit, readable, visit->viewer().account, [visit, asked = std::move(asked)](WebForm& form) {
    std::vector<std::string> own;
    for (const WebField& field : form.values)
      if (field.name == "Internet-Addresses") own = field.values;
    if (own.empty()) own.push_back(visit->viewer().address);
    std::vector<std::string> words = {"--own"};
    for (std::size_t i = 0; i < own.size() && i < kMostAddresses; ++i) words.push_back("--address=" + own[i]);
    ask_story(visit, asked, std::move(words));
  });
}

void write_help(Html& h) {
  h.element(
      "p", {{"class", "hint"}},
      "All that came from an address or went to it; or one message, by the id that stands in replies and in "
      "the queue, or by its Message-ID in angle brackets.");
}

void story_page(const VisitPtr& visit) {
  Asked asked = read_asked(*visit);
  if (!visit->viewer().postmaster) return ask_own(visit, std::move(asked));
  if (!asked.about.empty()) {
    std::vector<std::string> words;
    if (asked.days != "all") words.push_back("--days=" + asked.days);
    words.push_back(asked.about);
    return ask_story(visit, std::move(asked), std::move(words));
  }
  Page page = begin_page(*visit, asked);
  write_help(page.body);
  visit->show(std::move(page));
}

}  // namespace

void add_story_page(Routes& routes) {
  routes.add({.pattern = "/story", .get = story_page});
}

}  // namespace wwwd
