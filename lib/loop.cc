#include "lib/loop.h"

#include "lib/error.h"

namespace po {

Loop::Loop() {
  event_config* config = event_config_new();
  if (config == nullptr) panic("event_config_new failed");
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  base_.reset(event_base_new_with_config(config));
  event_config_free(config);
  if (!base_) panic("event_base_new failed");
}

void Loop::run() {
  event_base_loop(base_.get(), EVLOOP_NO_EXIT_ON_EMPTY);
}
void Loop::stop() {
  event_base_loopbreak(base_.get());
}

// The trampoline holds the state, so that a callback may destroy or replace the Event that called it.
struct Event::State {
  struct event* ev = nullptr;
  Callback callback;
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (ev != nullptr) event_free(ev);
  }
  static void fire(evutil_socket_t, short, void* self) noexcept {
    auto* state = static_cast<State*>(self);
    std::shared_ptr<State> hold = state->self.lock();
    if (hold && hold->callback) hold->callback();  // a new callback comes with a new State
  }
  std::weak_ptr<State> self;
};

Event::~Event() {
  cancel();
}

void Event::cancel() {
  if (state_ && state_->ev != nullptr) event_del(state_->ev);
  state_.reset();
}

bool Event::pending() const {
  return state_ && state_->ev != nullptr &&
         event_pending(state_->ev, EV_TIMEOUT | EV_READ | EV_WRITE | EV_SIGNAL, nullptr) != 0;
}

void Event::make(const Loop& loop, int fd, short what, Callback callback) {
  cancel();
  state_ = std::make_shared<State>();
  state_->self = state_;
  state_->callback = std::move(callback);
  state_->ev = event_new(loop.base(), fd, what, &State::fire, state_.get());
  if (state_->ev == nullptr) panic("event_new failed");
}

static timeval to_timeval(std::chrono::milliseconds d) {
  return {static_cast<time_t>(d.count() / 1000), static_cast<suseconds_t>(d.count() % 1000 * 1000)};
}

void Event::after(const Loop& loop, std::chrono::milliseconds delay, Callback callback) {
  if (callback || !state_) make(loop, -1, 0, std::move(callback));
  timeval tv = to_timeval(delay);
  event_add(state_->ev, &tv);
}

void Event::soon(const Loop& loop, Callback callback) {
  if (!state_) make(loop, -1, 0, std::move(callback));
  event_active(state_->ev, EV_TIMEOUT, 0);
}

void Event::every(const Loop& loop, std::chrono::milliseconds period, Callback callback) {
  make(loop, -1, EV_PERSIST, std::move(callback));
  timeval tv = to_timeval(period);
  event_add(state_->ev, &tv);
}

void Event::on_readable(const Loop& loop, int fd, Callback callback) {
  make(loop, fd, EV_READ | EV_PERSIST, std::move(callback));
  event_add(state_->ev, nullptr);
}

void Event::on_writable(const Loop& loop, int fd, Callback callback) {
  make(loop, fd, EV_WRITE | EV_PERSIST, std::move(callback));
  event_add(state_->ev, nullptr);
}

void Event::on_signal(const Loop& loop, int signal, Callback callback) {
  make(loop, signal, EV_SIGNAL | EV_PERSIST, std::move(callback));
  event_add(state_->ev, nullptr);
}

}  // namespace po
