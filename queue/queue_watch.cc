#include "queue/queue_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/story.h"
#include "lib/text.h"
#include "queue/routing.h"

namespace queue {

static constexpr auto kAliveEvery = std::chrono::minutes(1);  // the client waits an hour for a frame

void Watchers::add(QueueWatch* watch) {
  watches_.insert(watch);
  log_.listen([this](std::string_view line) { on_line(line); });
}

void Watchers::remove(QueueWatch* watch) {
  watches_.erase(watch);
  if (watches_.empty()) log_.listen({});
}

void Watchers::on_line(std::string_view line) {
  auto record = po::parse_log_line(line);
  if (!record || !record->has("id")) return;
  for (QueueWatch* watch : watches_) watch->on_record(*record);
}

QueueWatch::QueueWatch(const po::Loop& loop, Watchers& watchers, QueueFilter filter, bool json,
                       std::string greeting)
    : watchers_(watchers), filter_(std::move(filter)), json_(json), text_(std::move(greeting)) {
  watchers_.add(this);
  alive_.every(loop, kAliveEvery, [this] { wake(); });
}

QueueWatch::~QueueWatch() {
  watchers_.remove(this);
}

bool QueueWatch::takes(const po::LogRecord& record) const {
  if (!filter_.ids.empty()) {
    auto id = po::MessageId::parse(record.get("id"));
    if (!id || std::find(filter_.ids.begin(), filter_.ids.end(), *id) == filter_.ids.end()) return false;
  }
  std::string_view to = record.get("to");
  if (record.has("from") && !filter_.takes_sender(record.get("from"))) return false;
  if (!record.has("from") && !filter_.sender.empty()) return false;
  if (!filter_.domain.empty() && !po::matches_wildcards(filter_.domain, domain_part(to))) return false;
  return filter_.recipient.empty() || po::matches_wildcards(filter_.recipient, to);
}

void QueueWatch::on_record(const po::LogRecord& record) {
  if (!takes(record)) return;
  if (text_.size() >= kMostText) {
    ++missed_;
    return;
  }
  text_ += json_ ? po::story_json(record) : po::story_line(record);
  wake();
}

po::CommandTask::Step QueueWatch::step(po::messages::CommandOutput& out) {
  out.out.swap(text_);
  text_.clear();
  if (missed_ > 0) out.err += fmt::format("post.office: {} lines came too fast and are left out\n", missed_);
  missed_ = 0;
  return Step::kWait;
}

}  // namespace queue
