#!/bin/sh
# The desktop that scripts/make_demo_recording.py records: a terminal that works, a clock, a quiet background.
cat > "$HOME/play.sh" <<'PLAY'
#!/bin/bash
prompt() { printf '\033[1;32mann@desktop\033[0m:\033[1;34m~/orders\033[0m$ '; }
type() { prompt; for ((i = 0; i < ${#1}; i++)); do printf '%s' "${1:i:1}"; sleep 0.03; done; printf '\n'; sleep 0.1; }
clear
sleep 1
type 'ls'
printf '\033[1;34marchive\033[0m  march.csv  april.csv  may.csv  \033[1;32mreport.sh\033[0m\n'
type './report.sh --year'
printf '\n  \033[1mOrders by month\033[0m\n\n'
n=0
for month in January February March April May June July August September October November December; do
    value=$(( (n * 37 + 23) % 41 + 8 ))
    printf '  %-10s \033[48;5;%dm%*s\033[0m %d\n' "$month" $((32 + n % 6)) "$value" '' $((value * 12))
    n=$((n + 1)); sleep 0.09
done
printf '\n'
type 'make check'
for step in 0 10 20 30 40 50 60 70 80 90 100; do
    printf '\r  checking  \033[42m%*s\033[0m\033[100m%*s\033[0m %3d %%' $((step / 2 + 1)) '' $((50 - step / 2)) '' "$step"
    sleep 0.12
done
printf '\n  \033[1;32mall 128 checks passed\033[0m\n'
for shade in $(seq 16 231); do printf '\033[48;5;%dm  ' "$shade"; [ $(((shade - 15) % 36)) = 0 ] && printf '\033[0m\n'; done
prompt
sleep 60
PLAY
chmod 755 "$HOME/play.sh"
xsetroot -solid '#1d3557'
exec openbox --startup "sh -c 'xterm -fa DejaVuSansMono -fs 10 -geometry 78x30+24+50 -bg rgb:10/14/1f -fg rgb:e6/e6/e6 -title Terminal -e $HOME/play.sh &
xclock -update 1 -geometry 150x150-24+14 -bg rgb:f1/fa/ee -hd rgb:e6/39/46 -hl rgb:1d/35/57'"
