#include "wwwd/queue_rows.h"

#include <fmt/format.h>

#include "wwwd/words.h"

namespace wwwd {

// An address of RFC 5321 has at most 320 octets, one of RFC 6531 a few more.
static constexpr std::size_t kMostAddress = 400;
static constexpr std::size_t kMostReply = 2000;

QueueRecipient read_queue_recipient(const Json& row) {
  QueueRecipient out;
  out.n = row["n"].count();
  out.address = shortened(row["recipient"].text(), kMostAddress);
  out.original = shortened(row["original"].text(), kMostAddress);
  out.state = shortened(row["state"].text(), 20);
  out.hop = shortened(row["hop"].text(), kMostAddress);
  out.reply = shortened(row["reply"].text(), kMostReply);
  out.attempts = row["attempts"].count();
  out.next = parse_time(row["next"].text());
  for (const Json& attempt : row["replies"].items()) {
    out.last.push_back({parse_time(attempt["time"].text()), shortened(attempt["host"].text(), kMostAddress),
                        shortened(attempt["reply"].text(), kMostReply)});
  }
  return out;
}

std::vector<QueuedMessage> read_queue_list(const std::vector<Json>& rows) {
  std::vector<QueuedMessage> out;
  for (const Json& row : rows) {
    const std::string& id = row["id"].text();
    if (out.empty() || out.back().id != id) {
      out.push_back({shortened(id, 40),
                     shortened(row["sender"].text(), kMostAddress),
                     parse_time(row["arrival"].text()),
                     row["size"].count(),
                     {}});
    }
    out.back().recipients.push_back(read_queue_recipient(row));
  }
  return out;
}

std::string shown_sender(std::string_view sender) {
  return sender.empty() ? "<>" : std::string(sender);
}

void write_state(Html& html, std::string_view state) {
  struct Word {
    std::string_view state, css, words;
  };
  static constexpr Word kWords[] = {{"new", "tag", "new"},
                                    {"active", "tag good", "being delivered"},
                                    {"deferred", "tag warning", "deferred"},
                                    {"held", "tag bad", "held"}};
  for (const Word& w : kWords)
    if (w.state == state) {
      html.element("span", {{"class", w.css}}, w.words);
      return;
    }
  html.element("span", {{"class", "tag"}}, state);
}

void write_time(Html& html, std::optional<std::time_t> when) {
  if (!when) {
    html.text("unknown");
    return;
  }
  html.element("time", {{"datetime", machine_time(*when)}}, time_text(*when));
}

void write_next(Html& html, const QueueRecipient& recipient, std::time_t now) {
  if (recipient.state == "active") {
    html.text("under way");
  } else if (!recipient.next) {
    html.text("none while held");
  } else if (*recipient.next <= now) {
    html.text("now");
  } else {
    html.element(
        "time", {{"datetime", machine_time(*recipient.next)}, {"title", time_text(*recipient.next) + " UTC"}},
        "in " + span_text(*recipient.next - now));
  }
}

}  // namespace wwwd
