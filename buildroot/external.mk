include $(sort $(wildcard $(BR2_EXTERNAL_KIIRTEE_PATH)/package/*/*.mk))

# The kernel's configuration begins where that of systemd/kernel/check does, not with everything that an x86 machine may have.
LINUX_KCONFIG_DEFCONFIG = tinyconfig
