// What a deliverer's answer means for the recipients of its job: gone, later, or failed, and what their
// sender is to hear. Pure; the answer comes from a process that talks to strangers, so its words are made
// plain and what it leaves out counts as not done. Caller: Deliveries.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lib/messages.h"
#include "lib/store/store.h"
#include "queue/bounce.h"
#include "queue/schedule.h"

namespace queue {

/// A line for the log about one recipient.
struct OutcomeLine {
  const char* event = "";  ///< delivered, deferred, bounced, expired
  std::string to;
  std::string words;
  std::string status;
  std::uint64_t next_ms = 0;  ///< deferred
  std::uint32_t attempts = 0;
};

struct Verdicts {
  std::vector<std::uint32_t> gone;
  std::vector<store::Settle::Later> later;
  std::vector<Report> reports;  ///< that the sender is to hear of, by RFC 3461
  std::vector<OutcomeLine> lines;
};

/// Now and chance.
struct Moment {
  std::uint64_t now_ms = 0;
  std::function<std::uint32_t()> chance;
};

/// False: the answer is not one to this job (an outcome for nobody, or two for one).
[[nodiscard]] bool answers(const po::messages::JobDone& done, const std::vector<store::WaitingRow>& rows);

/// `rows`: the recipients of the job, as they were when it began. `arrival_ms`: of the message.
[[nodiscard]] Verdicts judge(const po::messages::JobDone& done, const std::vector<store::WaitingRow>& rows,
                             std::uint64_t arrival_ms, const Lifetimes& times, const Moment& moment);

/// For good, by us: `status` and one sentence.
void fail(const store::WaitingRow& row, const char* event, std::string_view status, std::string_view words,
          Verdicts& out);

/// Too old: returned with the words of its last attempt, if there was one.
void expire(const store::WaitingRow& row, Verdicts& out);

/// Printable, one line, at most 500 octets; UTF-8 stays.
[[nodiscard]] std::string plain_line(std::string_view text);

}  // namespace queue
