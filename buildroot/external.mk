include $(sort $(wildcard $(BR2_EXTERNAL_KIIRTEE_PATH)/package/*/*.mk))
